"""Numbers of a model that are none, too large or of another shape: one line, and never an answer by chance."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from rezsl.classifier import Familiarity, ZeroShotClassifier, explain, load_model, save_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.errors import ArgumentError, DataError, ModelFileError
from rezsl.files import sha256
from rezsl.functional.familiarity import FeatureDistribution, Limit
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics

WIDTH = 8


@pytest.fixture
def run(tmp_path: Path, semantics: ClassSemantics, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    distribution = FeatureDistribution(torch.zeros(WIDTH), torch.eye(WIDTH)[:, :2], torch.ones(2), torch.ones(()))
    familiarity = Familiarity(distribution, Limit(1.0, 1.0, 3.0))
    network = LinearRegressor(WIDTH, semantics)
    torch.nn.init.normal_(next(network.parameters()))
    model = ZeroShotClassifier(FeatureScaler(WIDTH), network, semantics, ["a", "b"], familiarity=familiarity)
    save_model(model, "run")
    np.save("rows.npy", np.ones((3, WIDTH), np.float32))
    return tmp_path / "run"


def change(run: Path, tensors: dict[str, Callable[[Tensor], Tensor]], **options: Any) -> None:
    found = load_file(run / "model.safetensors")
    content = save({**found, **{name: made(found[name]).contiguous() for name, made in tensors.items()}})
    (run / "model.safetensors").write_bytes(content)
    description = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps(description | options | {"sha256": sha256(content)}))


def first_weight(run: Path) -> str:
    return next(name for name in load_file(run / "model.safetensors") if name.startswith("network."))


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_weights_that_give_no_numbers_give_no_answer(
    run: Path, factor: float, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run, {first_weight(run): lambda weight: torch.full_like(weight, 1.0) * factor})
    assert main(["predict", "run", "rows.npy"]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith(
        "rezsl: error: rows.npy row 0: expected a finite score and probability, got nan and nan for"
    )
    assert "; 2 more inputs have no answer" in error
    assert error.count("\n") == 1
    with pytest.raises(DataError, match=r"^input: expected a finite score"):
        explain(load_model(run), torch.ones(1, WIDTH))


@pytest.mark.parametrize("options", [{"temperature": 1e-300}, {"scale": 1e308}, {"gamma": 1e308}])
def test_settings_that_give_no_numbers_give_no_answer(run: Path, options: dict[str, float]) -> None:
    change(run, {}, **options)
    model = load_model(run)
    with pytest.raises(DataError, match=r"^input 0: expected a finite score and probability, got .* for '.'; give an"):
        model.classify(torch.ones(2, WIDTH))
    assert {answer.problem.partition(":")[0] for answer in model.classify(torch.ones(2, WIDTH), skip_unreadable=True)} == {"input 0", "input 1"}  # fmt: skip


@pytest.mark.parametrize("name", ["gamma", "scale", "temperature"])
def test_whole_numbers_that_are_too_large_are_refused(run: Path, name: str) -> None:
    change(run, {}, **{name: 10**400})
    with pytest.raises(ModelFileError, match=r"run: not a readable model "):
        load_model(run)


@pytest.mark.parametrize("part", ["mean", "axes", "deviations", "remainder", "limit"])
@pytest.mark.parametrize(
    "change_to",
    [Tensor.double, Tensor.bool, lambda part: part * math.nan, lambda part: torch.cat([part.flatten()] * 2), lambda _: torch.ones(0)],
    ids=["double", "bool", "nan", "twice", "empty"],
)  # fmt: skip
def test_a_limit_of_another_form_is_refused(run: Path, part: str, change_to: Callable[[Tensor], Tensor]) -> None:
    change(run, {f"familiarity.{part}": change_to})
    with pytest.raises(
        ModelFileError, match=r"run: not a readable model .*familiarity\.\w+: expected finite numbers of"
    ):
        load_model(run)


def test_a_limit_of_other_features_is_refused(run: Path) -> None:
    change(run, {"familiarity.mean": lambda _: torch.ones(3), "familiarity.axes": lambda _: torch.ones(3, 2)})
    with pytest.raises(
        ArgumentError, match=r"familiarity: expected the limit of features of 8 numbers, .* got one of 3;"
    ):
        load_model(run).classify(torch.ones(1, WIDTH))


def test_one_row_without_a_score_does_not_end_the_others(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = np.ones((4, WIDTH), np.float32)
    rows[2] = 3e38
    np.save("rows.npy", rows)
    assert main(["predict", "run", "rows.npy", "--format", "csv", "--top", "1"]) == 1
    captured = capsys.readouterr()
    assert [line.partition(",")[0] for line in captured.out.splitlines()[1:]] == [
        f"rows.npy row {n}" for n in (0, 1, 3)
    ]
    assert captured.err.startswith("rezsl: rows.npy row 2: expected a finite score and probability, got ")
    assert captured.err.endswith("rezsl: error: 1 of 4 inputs have no answer, named above\n")

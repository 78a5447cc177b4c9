"""Models are published and read through the real client of the hub, against a stand-in on this machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from rezsl.classifier import ZeroShotClassifier, load_model, save_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.errors import ArgumentError, ModelFileError
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics
from tests.classifier.hub_server import Hub, hub_server

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with hub_server() as served:
        constants = "huggingface_hub.constants"
        monkeypatch.setattr(f"{constants}.ENDPOINT", served.url)
        monkeypatch.setattr(
            f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(f"{constants}.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        yield served


@pytest.fixture
def model(semantics: ClassSemantics, tmp_path: Path) -> ZeroShotClassifier:
    """A saved model with the records of a run."""
    named = ClassSemantics(("a<b>", *semantics.classes[1:]), semantics.attributes, semantics.values)
    scaler = FeatureScaler(8, {"backbone": {"source": "/home/someone/nets/tiny"}, "dtype": "float16"})
    made = ZeroShotClassifier(scaler, LinearRegressor(8, named), named, ["a<b>", "b"], gamma=0.7).eval()
    save_model(made, tmp_path / "saved")
    test = {
        "protocol": "honest",
        "T1": 0.5,
        "U": 0.25,
        "S": 0.75,
        "H": 0.375,
        "AUSUC": None,
        "collapse": ["only 'a<b>' is named"],
    }
    (tmp_path / "saved" / "metrics.json").write_text(json.dumps({"validation": {}, "test": test}))
    data = {"name": "signs", "inputs": 12, "sha256": "0123abc"}
    (tmp_path / "saved" / "settings.json").write_text(json.dumps({"seed": 3, "data": data}))
    return made


def test_a_published_model_is_read_and_used_by_its_name(
    hub: Hub, model: ZeroShotClassifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        model.push_to_hub("user/signs", license="mit", commit_message="first")
        == f"{hub.url}/user/signs/commit/{'a' * 40}"
    )
    published = hub.repositories["user/signs"]["main"]
    assert sorted(published) == ["README.md", "metrics.json", "model.json", "model.safetensors", "settings.json"]
    assert b"someone" not in b"".join(published.values())
    page = published["README.md"].decode()
    for words in (
        'license: "mit"', "6 classes by 4 attributes", "| T1 | 0.500 |", "| H | 0.375 |", "with the seed 3", "`0123abc`",
        "chosen without test images", r"**Caution:** only 'a\<b\>' is named.", r"a\<b\>", "rezsl predict user/signs features.npy", "names a class for any image",
    ):  # fmt: skip
        assert words in page, words
    assert "AUSUC" not in page

    copy, features = load_model("user/signs"), torch.randn(3, 8)
    torch.testing.assert_close(copy(features), model(features), rtol=0, atol=0)
    published["code.py"] = b"raise SystemExit"
    np.save(tmp_path / "features.npy", features.numpy())
    assert main(["predict", "user/signs", "features.npy", "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3 * 5
    assert main(["evaluate", "user/signs"]) == USER_ERROR
    assert "user/signs: expected --data, because a model of the hub comes without its data" in capsys.readouterr().err
    assert not any("code.py" in request for request in hub.requests)


def test_branches_and_a_second_use_without_network(
    hub: Hub, model: ZeroShotClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.push_to_hub("user/signs", revision="v2")
    assert hub.repositories["user/signs"]["main"] == {}
    with pytest.raises(
        ModelFileError, match=r"^user/signs: expected a model of rezsl with model\.json on the hub, found"
    ):
        load_model("user/signs")
    assert load_model("user/signs", "v2").gamma == 0.7
    with pytest.raises(ArgumentError, match=r"^revision: expected a branch, .* of user/signs, got 'v3'; correct it"):
        load_model("user/signs", "v3")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert load_model("user/signs", "v2").gamma == 0.7
    with pytest.raises(
        ModelFileError, match=r"^user/others: no such folder in .* the hub cannot be reached; check the path"
    ):
        load_model("user/others")
    assert len(hub.requests) == asked


def test_a_folder_wins_and_paths_are_not_looked_up(
    hub: Hub, model: ZeroShotClassifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(model, tmp_path / "user" / "signs")
    assert load_model("user/signs").gamma == 0.7
    with pytest.raises(ArgumentError, match=r"^revision: expected none with a folder, got 'v2' with user/signs;"):
        load_model("user/signs", "v2")
    for path in ("user/sings", "saved/none", "one", "a/b/c", str(tmp_path / "none")):
        with pytest.raises(ModelFileError, match=f"^{re.escape(path)}: no such folder"):
            load_model(path)
    assert hub.requests == []
    assert main(["predict", "users/signs", "photo.jpg"]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "users/signs: no such folder in" in error
    assert "no model of the hub" in error


def test_what_cannot_be_published_is_refused_in_one_line(
    hub: Hub, model: ZeroShotClassifier, semantics: ClassSemantics
) -> None:
    with pytest.raises(
        ArgumentError, match=r"^repo_id: expected the name of a repository such as user/signs, got 'signs'"
    ):
        model.push_to_hub("signs")
    unsaved = ZeroShotClassifier(FeatureScaler(8), LinearRegressor(8, semantics), semantics, ["a"])
    with pytest.raises(ArgumentError, match=r"^model: expected one that is saved .* call rezsl\.save_model first$"):
        unsaved.push_to_hub("user/signs")
    hub.refuses = True
    with pytest.raises(
        ArgumentError, match=r"^repo_id: expected a repository that you may write to, .* 'hf auth login'"
    ):
        model.push_to_hub("user/signs")

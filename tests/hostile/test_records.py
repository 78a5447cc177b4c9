"""The record of a run chooses no code: what its config.yaml names is of rezsl, or --import brought it in."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rezsl import sources
from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.cli._config import caches_of_run, store_of_run
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_synthetic
from rezsl.experiments.plan import read_plan
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler
from tests.hostile.world import PLAN

SYNTHETIC: dict[str, Any] = {"classes": 6, "attributes": 4, "samples": 60, "dim": 8, "unseen": 2, "validation": 1}
REFUSAL = "expected a class of rezsl or of a module that --import names, got "


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run beside the module ``evil``, which leaves a marker when it is imported."""
    data = load_synthetic(**SYNTHETIC)
    network = LinearRegressor(8, data.semantics)
    save_model(ZeroShotClassifier(FeatureScaler(8), network, data.semantics, data.seen_classes), tmp_path / "run")
    (tmp_path / "evil.py").write_text(
        "import pathlib\npathlib.Path('marker').touch()\n"
        "from rezsl.data import Benchmark, load_synthetic\n"
        "def load(seed: int = 0) -> Benchmark:\n"
        f"    return load_synthetic(**{SYNTHETIC!r}, seed=seed)\n"
    )
    monkeypatch.chdir(tmp_path)
    # As with python -m rezsl, for which the modules of the current folder are within reach.
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    return tmp_path / "run"


RECORDS = {
    "class path": ("data.class_path", {"data": {"class_path": "evil.load"}}),
    "name": ("data", {"data": "evil.load"}),
    "nested": (
        "data.init_args.splits.class_path",
        {"data": {"class_path": "cub", "init_args": {"root": ".", "splits": {"class_path": "evil.load"}}}},
    ),
    "deeply nested": (
        "data.init_args.x.0.y.class_path",
        {"data": {"class_path": "digits", "init_args": {"x": [{"y": {"class_path": "evil.load"}}]}}},
    ),
    "through a name of rezsl": ("data.class_path", {"data": {"class_path": "rezsl.files.os.system"}}),
    "a builtin": ("data.class_path", {"data": {"class_path": "os.system", "init_args": {"command": "touch marker"}}}),
    "a file": ("data", {"data": "other.yaml"}),
    "a number": ("data.class_path", {"data": {"class_path": 3}}),
}


@pytest.mark.parametrize("command", [["evaluate"], ["report"], ["fit", "--resume", "--run-dir"]])
@pytest.mark.parametrize("case", RECORDS)
def test_a_record_imports_nothing(run: Path, case: str, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    place, content = RECORDS[case]
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    (run.parent / "other.yaml").write_text(yaml.safe_dump({"class_path": "evil.load"}))
    assert main([*command, "run"]) == USER_ERROR
    error = capsys.readouterr().err
    assert f"run/config.yaml: {place}: {REFUSAL}" in error
    assert "if you trust it, add --import " in error
    assert error.count("\n") == 1
    assert not Path("marker").exists()
    assert "evil" not in sys.modules


@pytest.mark.parametrize("option", ["model", "backbone", "logger", "loss", "classification"])
@pytest.mark.parametrize("written", ["as a name", "as a class path"])
def test_a_resumed_run_imports_none_of_its_parts(
    run: Path, option: str, written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "evil.load" if written == "as a name" else {"class_path": "evil.load"}
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"class_path": "digits"}, option: value}))
    assert main(["fit", "--run-dir", "run", "--resume"]) == USER_ERROR
    error = capsys.readouterr().err
    assert f"run/config.yaml: {option}{'' if written == 'as a name' else '.class_path'}: {REFUSAL}'evil.load'" in error
    assert "add --import evil\n" in error
    assert not Path("marker").exists()


@pytest.mark.parametrize("content", ["config: other.yaml\ndata: {class_path: digits}\n", "base: ../other.yaml\n"])
def test_a_record_leads_to_no_other_record(run: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "config.yaml").write_text(content)
    (run.parent / "other.yaml").write_text("data: {class_path: evil.load}\n")
    assert main(["fit", "--run-dir", "run", "--resume"]) == USER_ERROR
    assert "run/config.yaml: " in capsys.readouterr().err
    assert not Path("marker").exists()


ELSEWHERE = ["s3://evil/x", "http://127.0.0.1/x", "memory://x", "//evil/share/x", "\\\\evil\\share\\x"]


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize(
    ("reader", "entry"), [("folder", "root"), ("tar", "root"), ("synthetic", "semantics"), ("cub", "splits")]
)
@pytest.mark.parametrize("command", [["evaluate"], ["report"], ["fit", "--resume", "--run-dir"]])
def test_a_record_asks_no_network(
    run: Path, address: str, reader: str, entry: str, command: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sources, "_system_of", lambda scheme: pytest.fail(f"{scheme} was asked"))
    arguments = {"root": ".", entry: address}
    if reader == "synthetic":
        arguments = {entry: address}
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"class_path": reader, "init_args": arguments}}))
    assert main([*command, "run"]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith("rezsl: error: run/config.yaml: data.")
    assert "of this machine, got the address " in error
    assert "if you trust it, " in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("address", ELSEWHERE)
def test_places_of_regions_in_a_record_ask_no_network(run: Path, address: str) -> None:
    record = {"data": {"class_path": "regions", "init_args": {"root": address}}, "cache": address}
    (run / "config.yaml").write_text(yaml.safe_dump(record))
    assert store_of_run(run) is None
    assert Path(address) not in caches_of_run(run)


def test_a_record_allows_no_pickles(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = {"class_path": "pretrained", "init_args": {"source": "net", "allow_pickle": True}}
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"class_path": "digits"}, "backbone": backbone}))
    assert main(["fit", "--run-dir", "run", "--resume"]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith(
        "rezsl: error: run/config.yaml: backbone.init_args.allow_pickle: expected false, got True; "
    )
    assert error.endswith("if you trust the weights, add --backbone.allow-pickle true\n")
    Path("net").mkdir()  # what follows is about the folder of weights, which is empty
    assert main(["fit", "--run-dir", "run", "--resume", "--backbone.allow-pickle", "true"]) == USER_ERROR
    assert "--backbone.source: expected config.json" in capsys.readouterr().err


def test_commands_that_take_a_run_change_nothing_in_it(run: Path, tmp_path: Path) -> None:
    record = {"data": {"class_path": "synthetic", "init_args": SYNTHETIC}, "cache": "cache", "logger": None}
    (run / "config.yaml").write_text(yaml.safe_dump(record))
    (tmp_path / "cache").mkdir()
    np.save("rows.npy", np.ones((1, 8), np.float32))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for command in (["evaluate", "run"], ["predict", "run", "rows.npy"], ["report", "run", "-o", "page.html"]):
        assert main(command) == 0
    written = {tmp_path / "page.html": (tmp_path / "page.html").stat().st_mtime_ns}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before | written


def test_what_import_names_may_be_named_by_a_record(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"class_path": "evil.load", "init_args": {"seed": 0}}}))
    assert main(["evaluate", "run", "--format", "json", "--import", "evil"]) == 0
    assert '"T1"' in capsys.readouterr().out
    assert main(["evaluate", "run"]) == USER_ERROR  # the next command does not remember it
    assert f"{REFUSAL}'evil.load'" in capsys.readouterr().err


def test_readers_of_rezsl_are_named_by_records(run: Path) -> None:
    record = {"data": {"class_path": "rezsl.cli.choices.synthetic", "init_args": SYNTHETIC}}
    (run / "config.yaml").write_text(yaml.safe_dump(record))
    assert main(["evaluate", "run"]) == 0


@pytest.mark.parametrize(
    "command", [["fit", "--config"], ["compare", "-o", "out"], ["fit", "--data", "folder", "--data.root"]]
)
def test_a_pipe_on_the_command_line(tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert main([*command, str(tmp_path / "pipe")]) == USER_ERROR
    error = capsys.readouterr().err
    assert "expected " in error
    assert "pipe" in error
    assert error.count("\n") == 1


PLAN_PARTS = [
    {"datasets": 5}, {"methods": None}, {"losses": 3}, {"seeds": 5}, {"seeds": None}, {"baseline": ...}, {"datasets": ...},
]  # fmt: skip


@pytest.mark.parametrize("change", PLAN_PARTS)
def test_the_kept_plan_of_a_comparison_is_data(
    tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text(PLAN)
    Path("out").mkdir()
    kept = read_plan(yaml.safe_load(PLAN), "plan.yaml", {}).record | change
    kept = {name: value for name, value in kept.items() if value is not ...}
    Path("out/plan.json").write_text(json.dumps(kept, default=str))
    assert main(["compare", "plan.yaml", "-o", "out"]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith("rezsl: error: out/plan.json: expected the plan of a comparison, got a damaged file (")
    assert error.endswith("; restore the file from a copy\n")
    assert error.count("\n") == 1
    assert sorted(path.name for path in Path("out").iterdir()) == ["plan.json"]

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rezsl.cli.main import USER_ERROR, main

TINY = ["--data", "digits", "--backbone", "small_resnet", "--backbone.width", "4"]
SHORT = ["--max-epochs=1", "--batches.per-epoch=3", "--accelerator=cpu"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report") / "run"
    assert main(["fit", *TINY, *SHORT, "--run-dir", str(root)]) == 0
    return root


def test_fit_ends_with_a_page(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "<h1>digits</h1>" in text
    assert "Which unseen classes are recognised?" in text
    assert "data:image/png;base64," in text


def test_fit_ends_with_a_page_also_where_unseen_classes_have_no_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"a": (1, 0, 0), "b": (0, 1, 0), "c": (0, 0, 1), "d": (1, 1, 0), "never": (0, 1, 1)}
    table = [",".join(map(str, (name, *row))) for name, row in rows.items()]
    (tmp_path / "semantics.csv").write_text("\n".join(["class,red,green,blue", *table]))
    for name in "abcd":
        (tmp_path / "images" / name).mkdir(parents=True)
        for place in range(5):
            pixels = np.full((16, 16, 3), rows[name]) * (150 + 20 * place)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / name / f"{place}.png")
    monkeypatch.chdir(tmp_path)
    options = ["--data", "folder", "--data.root", ".", "--backbone", "small_resnet", "--backbone.width", "4"]
    assert main(["fit", *options, *SHORT]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert f"written to runs/{run.name}: report.html, metrics.json" in capsys.readouterr().out
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "From the validation stage: what can be expected" in text
    assert "1 unseen class has no images" in text
    # The command writes the same page later, from the records of the run.
    assert main(["report", str(run), "-o", "again.html"]) == 0
    assert "From the validation stage: what can be expected" in (tmp_path / "again.html").read_text(encoding="utf-8")


def test_two_runs_become_one_page_with_their_differences(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(run, tmp_path / "elsewhere" / "run")
    out = tmp_path / "both.html"
    assert main(["report", str(run), str(other), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"written to {out}\n"
    text = out.read_text(encoding="utf-8")
    # Both are called run, so their parents tell them apart.
    assert f"elsewhere/run minus {run.parent.name}/run" in text
    assert "No paired differences" not in text


def test_what_a_pattern_matches_beside_runs_is_left_out(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path / "runs" / "one")
    store = tmp_path / "runs" / "regions" / "0123456789abcdef"
    store.mkdir(parents=True)
    (store / "manifest.json").write_text("{}")
    (tmp_path / "runs" / "two").mkdir()
    (tmp_path / "runs" / "two" / "settings.json").write_text("{}")
    (tmp_path / "runs" / "page.html").write_text("")
    matched = sorted(map(str, (tmp_path / "runs").iterdir()))
    capsys.readouterr()
    assert main(["report", *matched, "-o", str(tmp_path / "all.html")]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"note: {tmp_path}/runs/page.html is left out: it is a file",
        f"note: {tmp_path}/runs/regions is left out: it is a store of regions of images, which runs share",
        f"note: {tmp_path}/runs/two is left out: it is a run that has not finished",
    ]
    assert "<h1>digits" in (tmp_path / "all.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda run, folder: [run, run], "RUN: expected different directories, got {run} twice"),
        (lambda run, folder: [run, "-o", folder], "-o: expected a file, got the directory {folder}; name a file in it, as {folder}/report.html"),
        (lambda run, folder: [run, "-o", folder / "no" / "a.html"], "-o: expected a file in a directory that exists, got {folder}/no/a.html; make {folder}/no first"),
        (lambda run, folder: [run, "-o", folder / "a.html", "--data", "digitz"], "--data: unknown 'digitz' (did you mean digits?); expected "),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, expected: str
) -> None:
    assert callable(make)
    assert main(["report", *map(str, make(run, tmp_path))]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith(f"rezsl: error: {expected.format(run=run, folder=tmp_path)}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_its_configuration_needs_data(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = shutil.copytree(run, tmp_path / "bare")
    (bare / "config.yaml").unlink()
    assert main(["report", str(bare), "-o", str(tmp_path / "a.html")]) == USER_ERROR
    assert "got no such file; name its benchmark with --data, such as" in capsys.readouterr().err
    assert main(["report", str(bare), "-o", str(tmp_path / "a.txt"), "--data", "digits"]) == USER_ERROR
    assert "-o: expected a name that ends in .html or .htm, got" in capsys.readouterr().err
    assert main(["report", str(bare), "-o", str(tmp_path / "a.html"), "--data", "digits"]) == 0


def test_a_page_that_fails_loses_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no\nfonts")

    monkeypatch.setattr("rezsl.cli.report.save_report", broken)
    run = tmp_path / "run"
    assert main(["fit", *TINY, *SHORT, "--run-dir", str(run)]) == 0
    printed = capsys.readouterr().out
    assert (
        f"report.html was not written, but the run is complete (RuntimeError: no fonts); rezsl report {run} tries again\n"
        in printed
    )
    assert (run / "metrics.json").exists()
    assert "report.html, " not in printed

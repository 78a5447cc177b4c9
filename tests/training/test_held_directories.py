"""A run directory has one writer, and what a killed or failed run has left does not block it."""

import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import rezsl
from rezsl.cli.main import main
from rezsl.data import Benchmark
from rezsl.errors import RunDirectoryError
from rezsl.locks import LOCK, locked
from rezsl.training import Batches, Callback, EpochRecord, RunDirectory, Stage, Training
from tests.processes import SERVED, begin, found_at_once
from tests.training.interruptions import PowerCutError

FIT = (
    *("--data", "synthetic", "--data.classes", "12", "--data.attributes", "6", "--data.unseen", "3"),
    *("--data.validation", "3", "--data.samples", "200", "--data.dim", "8", "--model", "linear"),
    *("--batches.per-epoch", "2", "--accelerator", "cpu", "--report", "false"),
)


def quick(data: Benchmark, run_dir: Path, resume: bool = False, *callbacks: Callback) -> None:
    training = Training(max_epochs=2, batches=Batches(ways=4, shots=4, per_epoch=2), accelerator="cpu")
    rezsl.fit(data, training=training, run_dir=run_dir, resume=resume, callbacks=callbacks, progress=False)


class FullDisk(Callback):
    """Ends the first epoch after the records of it are written."""

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        raise PowerCutError


@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("file", ["validation_errors.npz", "history.csv", "checkpoints/select.safetensors"])
def test_an_error_in_the_first_epoch_leaves_the_directory_as_it_was(
    file: str, existed: bool, features: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, fsync = tmp_path / "run", os.fsync
    if existed:
        run.mkdir()

    def full(descriptor: int) -> None:
        if f".{Path(file).name}." in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as error:
            quick(features, run)
    assert error.value.filename == str(run / file)
    assert run.exists() == existed
    assert not existed or list(run.iterdir()) == []
    with pytest.raises(PowerCutError):
        quick(features, run, False, FullDisk())
    quick(features, run)
    assert not (run / LOCK).exists()


def test_rests_of_killed_processes_are_cleared_and_block_nothing(features: Benchmark, tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "checkpoints"):
        directory.mkdir(exist_ok=True)
        (directory / f".config.yaml.{os.getppid()}.partial").touch()  # a number that lives again
        (directory / ".config.yaml.0badcafe-7-0.partial").touch()
    (tmp_path / LOCK).touch()
    (tmp_path / "checkpoints").joinpath(f".a.{os.getppid()}.partial").unlink(missing_ok=True)
    with RunDirectory.held(tmp_path, resume=True):
        assert sorted(path.name for path in tmp_path.rglob("*")) == [LOCK, "checkpoints"]
    (tmp_path / "checkpoints").rmdir()
    (tmp_path / ".config.yaml.1.partial").touch()
    quick(features, tmp_path)
    assert not list(tmp_path.rglob(".*"))


def hold(run: Path, resume: bool) -> str:
    with RunDirectory.held(run, resume):
        return "held"


@pytest.mark.parametrize("resume", [False, True])
def test_who_comes_second_is_refused_and_writes_nothing(resume: bool, features: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "run"

    class Second(Callback):
        refused = ""

        def on_epoch_start(self, stage: Stage) -> None:
            before = {path: path.read_bytes() for path in run.rglob("*.*")}
            (self.refused,) = found_at_once(hold, run, resume, count=1)
            assert {path: path.read_bytes() for path in run.rglob("*.*")} == before
            stage.stop()

    second = Second()
    quick(features, run, False, second)
    busy = f"run_dir: expected a free directory, got {run}, which another process uses; wait for its end or choose"
    assert busy in second.refused


def test_a_directory_that_is_locked_is_not_resumed_in_python_either(features: Benchmark, tmp_path: Path) -> None:
    from threading import Thread  # noqa: PLC0415

    errors: list[Any] = []

    def other_thread() -> None:
        try:
            quick(features, tmp_path)
        except RunDirectoryError as error:
            errors.append(str(error))

    with locked(tmp_path, "run_dir"):
        thread = Thread(target=other_thread)
        thread.start()
        thread.join()
    assert "another process uses" in errors[0]
    assert list(tmp_path.iterdir()) == []


def fit_at_once(barrier: Any, line: list[str], output: Path) -> None:
    """Run a command line at the same moment as others, and write what it prints to a file."""
    with output.open("w", encoding="utf-8") as stream, redirect_stdout(stream), redirect_stderr(stream):
        barrier.wait()
        code = main(line)
    sys.exit(code)


@pytest.mark.slow
def test_of_fits_that_begin_at_once_one_wins_with_its_own_options(tmp_path: Path) -> None:
    """Begun at the same moment in one directory, the second with other options, the third to resume."""
    run, barrier = tmp_path / "run", SERVED.Barrier(3)
    lines = [(*FIT, "--seed", "1"), (*FIT, "--seed", "2"), (*FIT, "--seed", "1", "--resume")]
    files = [tmp_path / f"{number}.txt" for number in range(len(lines))]
    processes = [
        begin(fit_at_once, barrier, ["fit", *line, "--max-epochs", "30", "--run-dir", str(run)], output)
        for line, output in zip(lines, files, strict=True)
    ]
    for process in processes:
        process.join(timeout=120)
    outputs = [output.read_text(encoding="utf-8").splitlines()[-1] for output in files]
    codes = [process.exitcode for process in processes]
    assert codes.count(0) == 1, outputs
    winner = codes.index(0)
    seed = 1 if winner != 1 else 2
    assert f"seed: {seed}\n" in (run / "config.yaml").read_text()
    assert f'"seed": {seed},' in (run / "settings.json").read_text()
    refusals = (
        "another process uses",
        "finished run",
        "unfinished run",
        "not of this run",
        "nothing to resume",
        "config.yaml: no such file",
    )
    for position, line in enumerate(outputs):
        assert position == winner or (line.startswith("rezsl: error: ") and any(text in line for text in refusals)), (
            line
        )
    assert not list(run.rglob(".*"))

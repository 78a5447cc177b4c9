"""A run directory has one writer, and what a killed or failed run has left does not block it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import RunDirectoryError
from rezsl.locks import LOCK, locked
from rezsl.training import Batches, Callback, EpochRecord, RunDirectory, Stage, Training
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


@pytest.mark.parametrize("resume", [False, True])
def test_who_comes_second_is_refused_and_writes_nothing(resume: bool, features: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "run"

    class Second(Callback):
        refused = ""

        def on_epoch_start(self, stage: Stage) -> None:
            before = {path: path.read_bytes() for path in run.rglob("*.*")}
            script = (
                "import sys; from pathlib import Path; from rezsl.training import RunDirectory\n"
                "with RunDirectory.held(Path(sys.argv[1]), sys.argv[2] == 'True'): print('held')"
            )
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            command = [sys.executable, "-c", script, str(run), str(resume)]
            ended = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
            self.refused = ended.stdout + ended.stderr.splitlines()[-1]
            assert {path: path.read_bytes() for path in run.rglob("*.*")} == before
            stage.stop()

    second = Second()
    quick(features, run, False, second)
    busy = f"run_dir: expected a free directory, got {run}, which another process uses; wait for its end or choose"
    assert busy in second.refused
    assert "held" not in second.refused


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


@pytest.mark.slow
def test_of_fits_that_begin_at_once_one_wins_with_its_own_options(tmp_path: Path) -> None:
    """Begun at the same moment in one directory, the second with other options, the third to resume."""
    run, start = tmp_path / "run", tmp_path / "start"
    script = (
        "import sys, time; from pathlib import Path; import rezsl.cli.fit; from rezsl.cli.main import main\n"
        f"while not Path({str(start)!r}).exists(): time.sleep(0.001)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    lines = [(*FIT, "--seed", "1"), (*FIT, "--seed", "2"), (*FIT, "--seed", "1", "--resume")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, "fit", *line, "--max-epochs", "30", "--run-dir", str(run)],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for line in lines
    ]  # fmt: skip
    time.sleep(1)
    start.touch()
    outputs = [process.communicate(timeout=120)[0].splitlines()[-1] for process in processes]
    codes = [process.returncode for process in processes]
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
    assert signal.SIGKILL not in codes
    assert not list(run.rglob(".*"))

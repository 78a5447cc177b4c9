"""``rezsl fit`` in several processes: started by itself, by ``torchrun``, or by ``srun``."""

import inspect
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rezsl.cli.main import USER_ERROR, main
from rezsl.launchers import started_processes
from rezsl.training import Training
from tests.docs.pages import code_blocks
from tests.processes import leave

pytestmark = pytest.mark.slow

SYNTHETIC = [
    "--data",
    "synthetic",
    "--data.classes",
    "30",
    "--data.attributes",
    "5",
    "--data.samples",
    "1800",
    "--data.dim",
    "8",
    "--data.unseen",
    "8",
    "--data.validation",
    "8",
    "--model",
    "mlp",
    "--model.dropout",
    "0",
    "--max-epochs",
    "2",
    "--batches.per-epoch",
    "4",
    "--accelerator",
    "cpu",
    "--report",
    "false",
]
REZSL, TORCHRUN = [sys.executable, "-m", "rezsl"], [sys.executable, "-m", "torch.distributed.run"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=400, env=ENVIRONMENT, cwd=folder, check=False
    )


def metrics(folder: Path) -> dict[str, float]:
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]
    return {name: found[name] for name in ("T1", "U", "S", "H")}


def test_processes_write_one_run(tmp_path: Path) -> None:
    assert main(["fit", *SYNTHETIC, "--run-dir", str(tmp_path / "alone")]) == 0
    itself = run([*REZSL, "fit", *SYNTHETIC, "--run-dir", str(tmp_path / "itself"), "--devices", "2"])
    assert itself.returncode == 0, itself.stderr
    assert itself.stdout.count("written to") == 1
    launcher = [*TORCHRUN, "--standalone", "--nproc-per-node", "2", "-m", "rezsl"]
    # Without --run-dir, the first process alone chooses the directory.
    inside = tmp_path / "inside"
    inside.mkdir()
    torchrun = run([*launcher, "fit", *SYNTHETIC], inside)
    assert torchrun.returncode == 0, torchrun.stderr
    assert [path.name for path in (inside / "runs").iterdir()] == ["synthetic-1"]
    assert torchrun.stdout.count("selected on validation classes") == 1
    for folder in (tmp_path / "itself", inside / "runs" / "synthetic-1"):
        assert metrics(folder) == metrics(tmp_path / "alone")
        assert len((folder / "history.csv").read_text().splitlines()) == len(
            (tmp_path / "alone" / "history.csv").read_text().splitlines()
        )


def test_the_script_of_the_page_trains_in_two_processes_as_in_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "several-devices.md"
    (code,) = (block.code for block in code_blocks(page) if block.language == "python")
    code += f"\nimport os, sys\n{inspect.getsource(leave)}\nleave()\n"
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    printed = set()
    for count in ("1", "2"):
        done = run([*TORCHRUN, "--standalone", "--nproc-per-node", count, str(tmp_path / "train.py")])
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("loss of the last batch: ")
        printed.add(f"{float(done.stdout.split()[-1]):.5f}")
    assert len(printed) == 1


DYING = """
import os, sys, time
from rezsl.training import Callback, Training, fit
from rezsl.data import load_synthetic
from rezsl.training import Batches

class Dying(Callback):
    def on_epoch_end(self, stage, record):
        if os.environ.get("LOCAL_RANK") == sys.argv[1]:
            print(f"this process has no more memory at {time.time()} s", file=sys.stderr, flush=True)
            os._exit(3)

data = load_synthetic(None, 20, 5, samples=400, dim=8, unseen=5, validation=4)
batches = Batches(per_epoch=2)
fit(data, training=Training(max_epochs=50, devices=2, accelerator="cpu", batches=batches), callbacks=[Dying()], progress=False)
"""


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_process_that_dies_ends_the_others(rank: str, tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(DYING, encoding="utf-8")
    started = subprocess.Popen(
        [sys.executable, str(script), rank], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True
    )
    _, errors = started.communicate(timeout=400)  # until the last process has closed it
    assert started.returncode != 0
    died = float(errors.partition("this process has no more memory at ")[2].split()[0])
    assert time.time() - died < 30  # on a quiet machine a few seconds
    deadline = time.monotonic() + 15
    while _members(started.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _members(started.pid)


def _members(group: int) -> bool:
    """Return whether a process of the group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_variables_of_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STEP_NUM_TASKS": "8", "STEP_NUM_NODES": "2", "PROCID": "5"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert started_processes() == (8, 4, 5)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert started_processes() is None


@pytest.mark.usefixtures("unchecked")
def test_settings_of_processes_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, words in (
        ({"devices": 0}, "devices: expected"),
        ({"devices": True}, "devices: expected a whole number of at least 1, or auto, got True"),
        ({"nodes": 0}, "nodes: expected"),
        ({"strategy": "fsdp"}, "strategy: expected"),
    ):
        with pytest.raises(ValueError, match=words):
            Training(**options)
    assert main(["fit", *SYNTHETIC, "--sync-batchnorm", "true", "--run-dir", str(tmp_path / "run")]) == USER_ERROR
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert main(["fit", *SYNTHETIC, "--devices", "3", "--run-dir", str(tmp_path / "run")]) == USER_ERROR
    assert not (tmp_path / "run").exists()

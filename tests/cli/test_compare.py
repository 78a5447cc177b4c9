import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import savemat

from rezsl.cli._options import parse
from rezsl.cli._screens import SCREENS
from rezsl.cli.compare import compare, parser
from rezsl.cli.main import USER_ERROR, main
from rezsl.errors import RunDirectoryError
from rezsl.experiments.jobs import Folder, Job, run_jobs
from rezsl.experiments.plan import read_plan
from rezsl.experiments.workers import WorkerError, Workers
from rezsl.interruption import INTERRUPTED
from rezsl.locks import locked
from tests.cli.jobs import die, die_once

pytestmark = pytest.mark.slow

SEARCH = {"trials": 2, "space": {"loss_weight": [0.5, 2.0]}, "losses": {"none": {"loss_weight": None}}}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Features of 12 classes that depend linearly on their semantics, as the field's files; three are unseen."""
    random, folder = np.random.default_rng(0), tmp_path / "toy"
    folder.mkdir()
    semantics, labels = random.random((6, 12)) + 0.1, np.repeat(np.arange(12), 10)
    features = (semantics.T @ random.normal(size=(6, 8)))[labels] + 0.3 * random.normal(size=(120, 8))
    index, held_out = np.arange(120) + 1, np.arange(120) % 5 == 0
    parts = {
        "trainval": (labels < 9) & ~held_out, "train": (labels < 6) & ~held_out,
        "val": (labels >= 6) & (labels < 9) & ~held_out, "test_seen": (labels < 9) & held_out, "test_unseen": labels >= 9,
    }  # fmt: skip
    savemat(
        folder / "att_splits.mat", {"att": semantics} | {f"{name}_loc": index[part] for name, part in parts.items()}
    )
    savemat(folder / "res101.mat", {"features": features.T, "labels": labels[:, None] + 1})
    return folder


def content(**changes: Any) -> dict[str, Any]:
    return {
        "options": {"max_epochs": 1, "accelerator": "cpu", "batches": {"per_epoch": 2}},
        "datasets": {"toy": {"data": "xlsa17"}},
        "methods": {"linear": {"model": "linear"}, "broken": {"model": "linear", "batches": {"size": 0}}},
        "losses": {"none": {"loss": None}, "MSE": {"loss": "MSELoss"}},
        "pairs": {"broken": ["none"]},
        "seeds": [0, 1],
        "baseline": {"method": "linear", "loss": "none"},
        "search": SEARCH,
        **changes,
    }


class InProcess(Workers):
    """Runs the commands here: an import of PyTorch for each would take the longest."""

    def __init__(self, processes: int = 1) -> None:
        self.processes, self.ran = processes, list[str]()

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        command, job = arguments
        self.ran.append(name_of(job.log))
        with job.log.open("w") as stream, redirect_stdout(stream), redirect_stderr(stream):
            return ended(command(job.command_line))

    def result(self, future: Future[Any]) -> Any:
        return future.result()

    def close(self) -> None:
        """Nothing is running."""


def ended(code: int) -> Future[int]:
    future: Future[int] = Future()
    future.set_result(code)
    return future


def name_of(log: Path) -> str:
    """Return the name of the job that writes a log, such as ``toy/linear/none seed 0``."""
    return f"{'/'.join(log.parent.parts[-3:])} {log.stem.replace('-', ' ')}"


def job(folder: Path, number: int, *arguments: str) -> Job:
    return Job(f"job {number}", arguments, folder / "never", folder / "logs" / f"{number}.log")


def test_a_process_has_its_share_of_the_cores_or_the_threads_that_the_environment_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = []
    for threads in (None, "3"):
        if threads is None:
            monkeypatch.delenv("OMP_NUM_THREADS")
        else:
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
        with closing(Workers(1)) as workers:
            given.append(workers.result(workers.submit(os.getenv, "OMP_NUM_THREADS")))
    assert given == [str(os.cpu_count()), "3"]


def test_a_process_takes_one_job_after_the_other_and_another_takes_the_place_of_a_dead_one(tmp_path: Path) -> None:
    with closing(Workers(1)) as workers:

        def run(call: Callable[..., Any], *arguments: object) -> Any:
            return workers.result(workers.submit(call, *arguments))

        jobs = [job(tmp_path, 1, "--version"), job(tmp_path, 2, "fitt"), job(tmp_path, 3)]
        unknown = "unknown command 'fitt' (did you mean fit?); commands: " + ", ".join(
            name for name in SCREENS if " " not in name
        )
        assert run_jobs(jobs, workers, main) == {"job 2": unknown}
        first = run(os.getpid)
        assert run(os.getpid) == first
        with pytest.raises(WorkerError, match=r"^ended by SIGKILL$"):
            run(die)
        assert run_jobs([job(tmp_path, 4, "--version")], workers, main) == {}
        second = run(os.getpid)
        os.kill(second, signal.SIGKILL)  # while it is idle
        wait_until(lambda: not Path(f"/proc/{second}").exists())
        assert run_jobs([job(tmp_path, 4, "--version")], workers, main) == {}
        assert len({first, second, third := run(os.getpid)}) == 3
    assert not any(Path(f"/proc/{process}").exists() for process in (first, second, third))
    said = [(tmp_path / "logs" / f"{number}.log").read_text() for number in (1, 2, 3, 4)]
    assert said[0] == said[3] == f"rezsl {version('rezsl')}\n"
    assert said[1].startswith("rezsl: error: unknown command")
    assert "rezsl COMMAND --help" in said[2]


def test_a_process_that_dies_takes_one_job_with_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # the job that reads it waits for what is written below

    def report(job: Job, reason: str | None) -> None:
        if reason == "ended by SIGKILL":
            pipe.write_text("seeds: 1")

    with closing(Workers(2)) as workers:
        jobs = [job(tmp_path, 1, str(pipe)), job(tmp_path, 2, "die")]
        assert run_jobs(jobs, workers, die_once, report) == {"job 2": "ended by SIGKILL"}
    assert (tmp_path / "logs" / "1.log").read_text() == "seeds: 1"


KILLED = """
import os, sys, time
from pathlib import Path
from rezsl.experiments.workers import Workers
from rezsl.locks import locked
from tests.cli.jobs import die, die_once

def work(log):
    try:
        Path(log).write_text(str(os.getpid()))
        time.sleep(600)
    except KeyboardInterrupt:
        time.sleep(1)
        Path(log).write_text("saved")

if __name__ == "__main__":
    with locked(Path(sys.argv[1]), "output") as lock:
        workers = Workers(1, lock)
        workers.submit(work, sys.argv[2]).result()
"""


def test_after_kill_9_the_jobs_save_their_work_at_once_and_hold_the_directory_until_then(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    path = os.pathsep.join(sys.path)
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out), str(log)], env={**os.environ, "PYTHONPATH": path}
    )
    wait_until(lambda: log.exists() and log.read_text() != "")
    worker = log.read_text()
    parent.kill()
    parent.wait()
    with pytest.raises(RunDirectoryError, match="another process uses"), locked(out, "output"):
        pass
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), seconds=10)
    assert log.read_text() == "saved"
    with locked(out, "output"):
        pass


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_directory_is_held_until_the_last_heir_has_ended(tmp_path: Path) -> None:
    busy = f"output: expected a free directory, got {tmp_path / 'out'}, which another process uses; wait for its end"
    with locked(tmp_path / "out", "output") as lock:
        heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=lock)
    with pytest.raises(RunDirectoryError, match=re.escape(busy)), locked(tmp_path / "out", "output"):
        pass
    heir.communicate(b"\n")
    with locked(tmp_path / "out", "output"):
        pass
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            RunDirectoryError,
            match=f"^output: expected a directory, got the file {tmp_path / 'file'}; choose another place$",
        ),
        locked(tmp_path / "file", "output"),
    ):
        pass


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as stream:
        yield from csv.DictReader(stream)


def test_a_plan_is_run_told_and_gone_on_with(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, runner, roots = tmp_path / "out", InProcess(), {"toy": str(toy)}
    found = compare(Folder(out, read_plan(content(), "plan.yaml", roots)), runner)
    assert runner.ran[:3] == ["toy/linear/none seed 0", "toy/linear/none seed 1", "toy/linear/MSE search"]
    assert set(runner.ran[3:]) == {
        *(f"toy/linear/MSE seed {seed}" for seed in (0, 1)), *(f"toy/broken/none seed {seed}" for seed in (0, 1)),
    }  # fmt: skip
    # The figures are those that the runs wrote.
    runs = {(row["method"], row["loss"], row["seed"]): row for row in rows(out / "runs.csv")}
    for (method, loss, seed), row in runs.items():
        record = out / "runs" / "toy" / method / loss / f"seed-{seed}" / "metrics.json"
        if method == "broken":
            # A cell that begins with a hyphen is written as text, because spreadsheets would compute it.
            assert row["failure"] == "'--batches.size: expected at least 1, got 0; see rezsl fit --help"
            assert not record.exists()
        else:
            assert float(row["H"]) == pytest.approx(json.loads(record.read_text())["test"]["H"], abs=1e-5)
    mean = {row["method"] + row["loss"]: row for row in rows(out / "table.csv")}["linearMSE"]
    both = [float(runs["linear", "MSE", seed]["T1"]) for seed in "01"]
    assert float(mean["T1_mean"]) == pytest.approx(np.mean(both), rel=1e-4)
    assert float(mean["T1_sd"]) == pytest.approx(np.std(both, ddof=1), rel=1e-4, abs=1e-9)
    assert (mean["seeds"], mean["trials"], mean["pairs"], mean["H_p"]) == ("2", "2", "2", "")
    # The runs have the weight that the search chose.
    chosen = yaml.safe_load((out / "search/toy/linear/MSE.yaml").read_text())["loss_weight"]
    assert {
        json.loads(path.read_text())["loss_weight"] for path in out.glob("runs/toy/linear/MSE/*/settings.json")
    } == {chosen}
    for file in ("table.md", "table.tex"):
        text = (out / file).read_text()
        assert (
            "Failed: toy, broken + none, seed 0, 1: --batches.size: expected at least 1, got 0; see rezsl fit --help"
            in text
        )
        assert "Search: 2 trials per row and data set for validation H, with seed 0" in text
        assert "Honest protocol" in text
    with Image.open(out / "comparison.png") as image:
        assert min(image.size) > 200
    assert found.rows[0].runs.keys() == {0, 1}
    assert "failed: toy/broken/none seed 0: --batches.size" in capsys.readouterr().out

    # Only what failed or is new is run again.
    again = InProcess()
    compare(Folder(out, read_plan(content(seeds=[0, 1, 2]), "plan.yaml", roots)), again)
    assert set(again.ran) == {
        "toy/linear/none seed 2", "toy/linear/MSE seed 2", *(f"toy/broken/none seed {seed}" for seed in (0, 1, 2)),
    }  # fmt: skip

    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(content(options={"max_epochs": 2}, seeds=[0, 1, 2])))
    command = ["compare", str(path), "-o", str(out), "--data-root", f"toy={toy}"]
    assert main(command) == USER_ERROR
    assert "was begun with another plan: options.max_epochs: 1 → 2 (and 2 more); go on with" in capsys.readouterr().err


def test_the_exit_code_tells_of_failed_runs(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.cli.compare.open_pool", lambda *arguments: InProcess())
    for pairs, code in (({"linear": ["none"], "broken": ["none"]}, 1), ({"linear": ["none"]}, 0)):
        path = tmp_path / f"{code}.yaml"
        methods = {name: options for name, options in content()["methods"].items() if name in pairs}
        path.write_text(yaml.safe_dump(content(methods=methods, pairs=pairs, search=None, seeds=[0], losses={"none": None},
                                               baseline={"method": "linear", "loss": "none"})))  # fmt: skip
        assert main(["compare", str(path), "-o", str(tmp_path / str(code)), "--data-root", f"toy={toy}"]) == code


@pytest.mark.parametrize("roots", [["--data-root", "a=1", "--data-root=b=2"], ["--data-root", "a=1", "b=2"]])
def test_data_roots_may_be_given_one_by_one_or_together(roots: list[str]) -> None:
    for line in ([*roots, "-o", "out"], ["-o", "out", *roots]):
        assert parse(parser(), ["plan.yaml", *line]).data_root == ["a=1", "b=2"]


def test_ctrl_c_ends_the_children_and_says_how_to_go_on(toy: Path, tmp_path: Path) -> None:
    plan = content(options={"max_epochs": 100_000, "accelerator": "cpu", "patience": 100_000}, seeds=[0])
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan | {"search": None}, sort_keys=False))
    process = subprocess.Popen(
        [sys.executable, "-m", "rezsl", "compare", "plan.yaml", "-o", "out", "--data-root", f"toy={toy}"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    history, until = tmp_path / "out/runs/toy/linear/none/seed-0/history.csv", time.monotonic() + 120
    while not history.exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "rezsl: interrupted; the same command goes on; finished runs are kept" in errors
    assert (history.parent / "model.safetensors").exists()  # the child had its time
    described = read_plan(plan, "plan.yaml", {"toy": str(toy)})
    assert "--resume" in Folder(tmp_path / "out", described).run_job(described.cells[0], 0).command_line


def test_a_log_that_cannot_be_written_fails_its_job_and_not_the_comparison(tmp_path: Path) -> None:
    class FullDisk(InProcess):
        def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(OSError(28, "No space left on device", str(arguments[1].log)))
            return future

    jobs = [job(tmp_path, number) for number in (1, 2)]
    log = tmp_path / "logs"
    assert run_jobs(jobs, FullDisk(), main) == {
        f"job {number}": f"{log / f'{number}.log'}: No space left on device" for number in (1, 2)
    }


def test_a_search_that_fails_takes_its_seeds_with_it(tmp_path: Path) -> None:
    class Failing(InProcess):
        def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
            log = arguments[1].log
            log.write_text("rezsl: error: no luck\n")
            return ended(int(log.stem == "search"))

    folder = Folder(tmp_path, read_plan(content(), "plan.yaml"))
    assert run_jobs(folder.jobs(), Failing(2), main) == {
        "toy/linear/MSE search": "no luck",
        **{f"toy/linear/MSE seed {seed}": "its search failed: no luck" for seed in (0, 1)},
    }

"""Runs on clusters of dask and ray, whose workers are killed in the middle."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rezsl.errors import ArgumentError, MissingPackageError
from rezsl.experiments.clusters import Backend, Cluster, open_pool
from rezsl.experiments.jobs import Job, run_jobs
from tests.experiments.cluster_calls import train


@pytest.fixture(params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Backend, str]]:
    """The name and the address of a cluster with three workers on this machine."""
    if request.param == "dask":
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as running:
            yield "dask", running.scheduler_address
        return
    pytest.importorskip("ray")
    folder = Path("/tmp") / f"ray-{os.getpid()}"  # the names of its sockets must be short
    start = ["ray", "start", "--head", "--num-cpus=3", "--include-dashboard=false", "--port=0", f"--temp-dir={folder}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "RAY_USAGE_STATS_ENABLED": "0"}
    subprocess.run(start, check=True, capture_output=True, env=environment)
    try:
        yield "ray", (folder / "ray_current_cluster").read_text()
    finally:
        subprocess.run(["ray", "stop"], check=True, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def job(folder: Path, number: int, steps: int) -> Job:
    run = folder / f"run-{number}"
    return Job(
        f"job {number}", (str(run), str(steps)), run / "metrics.json", folder / f"logs/{number}.log", directory=run
    )


def notes(folder: Path) -> dict[str, list[str]]:
    """Return what each run has noted, by its name."""
    return {path.parent.name: path.read_text().splitlines() for path in sorted(folder.glob("run-*/notes"))}


def when(condition: Callable[[], Any], then: Callable[[], Any]) -> threading.Thread:
    """Call a function in a thread, as soon as a condition is true."""

    def watch() -> None:
        until = time.monotonic() + 60
        while not condition() and time.monotonic() < until:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def worker_of(folder: Path, run: str) -> int:
    """Return the process number of the worker that runs something; 0 before it does."""
    lines = notes(folder).get(run, [])
    return int(lines[0].split()[1]) if lines else 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the clusters' packages
def test_nothing_is_lost_and_nothing_is_run_twice_when_a_worker_dies(
    cluster: tuple[Backend, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path()  # the runs have relative paths, and the workers other working directories
    with closing(open_pool(*cluster, None)) as pool:
        assert isinstance(pool, Cluster)
        assert pool.processes == 3
        jobs = [job(here, 0, 20), job(here, 1, 5), job(here, 2, 5)]
        first = partial(worker_of, tmp_path, "run-0")
        killer = when(first, lambda: os.kill(first(), signal.SIGKILL))
        assert run_jobs(jobs, pool, train) == {}
        killer.join()
    found = notes(tmp_path)
    assert [lines.count("end") for lines in found.values()] == [1, 1, 1]
    assert [line.split()[0] for line in found["run-0"]] == ["begin", "saved", "begin", "end"]
    assert found["run-0"][2].endswith(" --resume")
    assert [line.split()[0] for line in found["run-1"] + found["run-2"]] == ["begin", "end"] * 2
    # What has finished is not begun again, whoever asks for it.
    with closing(open_pool(*cluster, 2)) as pool:
        assert pool.result(pool.submit(len, "abc")) == 3
        # As Ctrl-C does, close lets a call save its work.
        pool.submit(train, [str(here / "run-0"), "600"])
        wait_for(lambda: len(notes(tmp_path)["run-0"]) == 5)
    wait_for(lambda: notes(tmp_path)["run-0"][-1] == "saved")


def wait_for(condition: Callable[[], Any]) -> None:
    when(condition, lambda: None).join()
    assert condition()


def test_the_address_and_the_backend_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"^address: expected none with backend loky, which works on this machine"):
        open_pool("loky", "tcp://head:8786", 1)
    for backend in ("dask", "ray"):
        with pytest.raises(ArgumentError, match=rf"^address: expected that of the scheduler with backend {backend}"):
            open_pool(backend, None, 1)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        MissingPackageError, match=r"clusters of dask: expected the package 'distributed'.*rezsl\[dask\]"
    ):
        open_pool("dask", "tcp://head:8786", 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("rezsl.experiments.clusters.SECONDS_TO_CONNECT", 0.5)
    with pytest.raises(
        ArgumentError, match=r"^address: expected the scheduler of a running cluster, got tcp://127.0.0.1:9 "
    ):
        open_pool("dask", "tcp://127.0.0.1:9", 1)

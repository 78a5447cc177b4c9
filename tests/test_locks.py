"""Locks of directories and files, held by real processes that are killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rezsl import locks
from rezsl.errors import RunDirectoryError
from rezsl.locks import LOCK, NoLocksError, locked, one_at_a_time, waited_for

HOLDER = """
import sys
from pathlib import Path
from rezsl.locks import locked, waited_for
kind, path = sys.argv[1:]
with locked(Path(path), "run_dir") if kind == "directory" else waited_for(Path(path), print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(kind: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a directory or a file until it is killed, or until a line is written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_directory_has_one_holder_and_a_killed_one_is_none(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    message = rf"^run_dir: expected a free directory, got {run}, which another process uses; wait for its end or choose"
    with holder("directory", run) as process:
        with pytest.raises(RunDirectoryError, match=message), locked(run, "run_dir"):
            pass
        assert [path.name for path in run.iterdir()] == [LOCK]
        process.kill()
        process.wait()
    with locked(run, "run_dir"):
        (run / "a").touch()
    assert [path.name for path in run.iterdir()] == ["a"]


def test_a_holder_may_lock_again_and_leaves_no_empty_directory(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with locked(run, "run_dir") as outer, locked(run, "run_dir") as inner:
        assert len(outer) == 1
        assert inner == ()
    assert not run.exists()
    run.mkdir()
    with locked(run, "run_dir"):
        pass
    assert list(run.iterdir()) == []  # it was there before, and stays


def test_a_forked_process_holds_nothing(tmp_path: Path) -> None:
    (read_end, write_end), (begun, tell) = os.pipe(), os.pipe()
    with ExitStack() as stack:
        stack.enter_context(locked(tmp_path, "run_dir"))
        if (child := os.fork()) == 0:
            os.write(tell, b".")
            os.read(read_end, 1)
            os._exit(0)
        os.read(begun, 1)
    with locked(tmp_path, "run_dir"):  # the child lives
        pass
    os.write(write_end, b".")
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (read_end, write_end, begun, tell):
        os.close(descriptor)


def test_a_file_that_is_removed_while_it_is_waited_for_locks_nothing(tmp_path: Path) -> None:
    with holder("file", tmp_path / "file") as process:
        (tmp_path / "file").unlink()
        with one_at_a_time(tmp_path / "file", pytest.fail):
            pass
        assert process.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_a_long_wait_is_told_after_a_second(tmp_path: Path) -> None:
    said: list[float] = []
    started = time.monotonic()
    with holder("file", path := tmp_path / "file") as process:

        def say(line: str) -> None:
            assert line == f"waiting for another process, which has locked {path}"
            said.append(time.monotonic() - started)
            process.kill()

        started = time.monotonic()
        with waited_for(path, say):
            assert len(said) == 1
    assert 1 <= said[0] < 5


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "other")
    with pytest.raises(RunDirectoryError, match=r"cannot be written .*; choose another"), locked(tmp_path / "run", "r"):
        pass
    assert not (tmp_path / "other").exists()


def test_without_locks_of_the_file_system_the_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int) -> bool:
        raise NoLocksError(38, "Function not implemented")

    monkeypatch.setattr(locks, "_lock", no_locks)
    with locked(tmp_path / "run", "run_dir") as descriptors, one_at_a_time(tmp_path / "file", pytest.fail):
        assert descriptors == ()
    assert list(tmp_path.iterdir()) == []

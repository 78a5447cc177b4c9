"""Files that are written whole or not at all."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rezsl import writing
from rezsl.writing import create_atomically, entries, remove_partials, write_atomically

KILLED = """
import os, signal, sys
from pathlib import Path
from rezsl import writing
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
writing.write_atomically(Path(sys.argv[1]), "half")
"""


def dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_one_process_creates_a_file(tmp_path: Path) -> None:
    assert create_atomically(tmp_path / "a", "first")
    assert not create_atomically(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_rest_of_a_killed_write_is_cleared_by_the_next(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.json")], check=False, env=environment)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a.json.")
    assert entries(tmp_path) == []
    write_atomically(tmp_path / "b.json", "other")
    assert left.exists()
    write_atomically(tmp_path / "a.json", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_only_the_rest_of_dead_processes_is_cleared(tmp_path: Path) -> None:
    host, dead, parent = writing._HOST, dead_process(), os.getppid()
    gone = [f".a.{dead}.partial", f".a.{host}-{dead}-0.partial", f".b.c.{host}-{os.getpid()}-999999.partial"]
    gone += [".a.0badcafe-1-0.partial", f".a.{2**70}.partial"]
    kept = [f".a.{parent}.partial", f".a.{host}-{parent}-0.partial", ".a.0badcafe-2-0.partial"]
    mine = ["a", ".a.partial", ".partial", "a.1.partial", ".a.txt.1.partials"]
    for name in (*gone, *kept, *mine):
        (tmp_path / name).touch()
    old = time.time() - 2 * writing.DAY
    os.utime(tmp_path / ".a.0badcafe-1-0.partial", (old, old))
    remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept + mine)
    assert sorted(path.name for path in entries(tmp_path)) == sorted(mine)
    remove_partials(tmp_path, everyone=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(mine)
    remove_partials(tmp_path / "none")


def test_threads_that_write_one_file_leave_a_whole_one(tmp_path: Path) -> None:
    contents = [str(number) * 100_000 for number in range(4)]

    def write(content: str) -> None:
        for _ in range(20):
            write_atomically(tmp_path / "a", content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "a").exists():
            assert (tmp_path / "a").read_text() in contents
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("write", [write_atomically, create_atomically])
def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path: Path, write: object) -> None:
    resource = pytest.importorskip("resource")
    assert callable(write)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "b").write_text("old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            write(tmp_path / "b", "new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.filename == str(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]

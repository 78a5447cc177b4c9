"""Writing into a folder that came from a stranger changes no file elsewhere."""

import itertools
import os
from pathlib import Path

import pytest

from rezsl import writing
from rezsl.writing import create_atomically, write_atomically


@pytest.mark.parametrize("write", [write_atomically, create_atomically])
@pytest.mark.parametrize("planted", ["a.json", ".a.json.{pid}.partial", ".a.json.{host}-{pid}-{next}.partial"])
def test_links_in_the_folder_are_replaced_and_not_followed(
    tmp_path: Path, write: object, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(write)
    (tmp_path / "other").write_text("mine")
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(writing, "_count", itertools.count(1000))
    name = planted.format(pid=os.getpid(), host=writing._HOST, next=1000)
    (tmp_path / "run" / name).symlink_to(tmp_path / "other")
    write(tmp_path / "run" / "a.json", "new")
    assert (tmp_path / "other").read_text() == "mine"
    if write is write_atomically:
        assert (tmp_path / "run" / "a.json").read_text() == "new"
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["a.json"]


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    os.mkfifo(path)
    with pytest.raises(OSError, match="expected a file, got a device or a pipe; choose another name"):
        write_atomically(path, "content")
    assert path.is_fifo()


@pytest.mark.parametrize("target", ["/proc/self/fd/1", "pipe"])
def test_a_link_to_a_device_or_a_stream_is_not_replaced(tmp_path: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "page.html"
    path.symlink_to(target)
    with pytest.raises(OSError, match="expected a file, got a device or a pipe; choose another name"):
        write_atomically(path, "content")
    assert os.readlink(path) == target

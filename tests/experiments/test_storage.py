"""Storages of studies that were cut off, damaged, or are begun by several processes at once."""

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rezsl.errors import ArgumentError, RunDirectoryError
from rezsl.experiments.search import SearchResult, SettingsSearch
from rezsl.experiments.space import read_space
from rezsl.training import Choice
from tests.processes import found_at_once
from tests.test_locks import holder

SPACE = read_space({"x": {"low": 0.0, "high": 1.0}}, "s")


def parabola(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
    score = 1 - (values["x"] - 0.3) ** 2
    return Choice(epochs=1, gamma=0.0, t1=0.5, harmonic_mean=score, standard_error=0.1, ausuc=0.5, unseen_classes=3)


def search(storage: Path | str, trials: int = 3) -> SearchResult:
    return SettingsSearch(parabola, SPACE, trials, str(storage)).run()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("study") / "journal"
    search(path)
    return path.read_bytes()


@pytest.mark.parametrize("cut", [1, 5, 13, 60, 0.2, 0.4, 0.6, 0.8, -90, -40, -2, -1])
@pytest.mark.parametrize("zeros", [0, 70_000])
def test_a_journal_that_was_cut_off_goes_on_from_its_last_whole_line(
    journal: bytes, cut: float, zeros: int, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    part = journal[: round(cut * len(journal)) if isinstance(cut, float) else int(cut)]
    path.write_bytes(part + bytes(zeros))
    whole = part[: part.rfind(b"\n") + 1]
    assert search(path).finished == 3
    found = path.read_bytes()
    assert found.startswith(whole)
    assert all(isinstance(json.loads(line), dict) for line in found.splitlines())
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal"]


def test_a_broken_line_at_the_end_is_removed_too(journal: bytes, tmp_path: Path) -> None:
    """Earlier versions added the next entry to a line that was cut off."""
    path = tmp_path / "journal"
    last = journal.rfind(b"\n", 0, -1) + 1
    path.write_bytes(journal[: last + 30] + journal[last:])
    assert search(path).finished == 3
    assert path.read_bytes().startswith(journal[:last])


def search_with_little_space(storage: Path, size: int) -> str:
    """Search where no file can be larger than ``size`` bytes, and return the error."""
    import resource  # noqa: PLC0415 - Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        search(storage, 50)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return "no error"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="only Unix limits the size of files")
@pytest.mark.parametrize("size", [20, 1500, 2049])
def test_a_full_disk_is_one_error_and_nothing_is_lost(size: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert found_at_once(search_with_little_space, path, size, count=1) == [f"{path}: File too large"]
    kept = path.read_bytes()
    assert len(kept) <= size
    assert kept == b"" or kept.endswith(b"\n")
    assert search(path).finished == 3
    assert path.read_bytes().startswith(kept)


def test_what_was_written_by_others_meanwhile_is_not_cut(journal: bytes, tmp_path: Path) -> None:
    """A process of the study dies in the middle of a line while another one goes on."""
    path = tmp_path / "journal"
    written: list[int] = []

    def train(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
        with path.open("ab") as stream:
            stream.write(b'{"op_code":7,"worker')
        written.append(path.stat().st_size)
        return parabola(values, watch)

    assert SettingsSearch(train, SPACE, 3, str(path)).run().finished == 3
    assert len(written) == 3
    assert search(path).finished == 3


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a photo": lambda journal: b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "a text": lambda journal: b"years of work",
    "a table": lambda journal: b"a,b\n1,2\n",
    "another end": lambda journal: journal + b"years of work",
    "a broken line in the middle": lambda journal: journal.replace(b'"worker_id":', b'"worker', 3),
    "zeros in the middle": lambda journal: journal[:200] + bytes(300) + journal[500:],
    "bytes of no text": lambda journal: journal.replace(b"study_name", b"\xff\xfe\xfd", 1),
    "other JSON": lambda journal: b'{"op_code":0}\n' + journal,
    "an unknown entry": lambda journal: journal + b'{"op_code":99,"worker_id":"x"}\n{"op_code":4}\n',
    "no entries": lambda journal: b'{"op_code":"a"}\n[1]\n{"op_code":null}\n',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_journal_that_cannot_be_read_is_one_line_and_stays_as_it_is(
    journal: bytes, damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content := DAMAGES[damage](journal))
    with pytest.raises(RunDirectoryError) as error:
        search(path)
    message = str(error.value)
    assert message.startswith(f"storage: {path}: expected a journal with an entry of a study in each line, but ")
    assert message.endswith((
        "; restore the file from a copy, or name another one to begin anew",
        "; name another file",
    ))  # fmt: skip
    assert "\n" not in message
    assert path.read_bytes() == content


def tables(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"years of work" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:8192]),
        lambda path: path.write_bytes(path.read_bytes()[:5000] + bytes(len(path.read_bytes()) - 5000)),
        lambda path: tables(path, "update alembic_version set version_num = 'x'"),
        lambda path: tables(path, "delete from alembic_version", "delete from version_info"),
        lambda path: tables(path, "drop table trials"),
        lambda path: tables(path, "update study_user_attributes set value_json = '{'"),
        lambda path: path.chmod(0) or path.unlink() or path.mkdir(),
    ],
)
def test_a_database_that_cannot_be_read_is_one_line_or_is_mended(damage: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    search(f"sqlite:///{path}")
    damage(path)
    try:
        assert search(f"sqlite:///{path}").finished == 3
    except ArgumentError as error:
        message = str(error)
        assert message.startswith("storage: expected a database of studies, but this one of sqlite cannot be used (")
        assert message.endswith("check the address, restore the database from a copy, or name another one")
        assert "\n" not in message


def finished_of_four(storage: str) -> int:
    return search(storage, 4).finished


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite:///{}/study.db", "{}/journal"])
def test_three_searches_that_begin_one_study_at_once_all_end(storage: str, tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = found_at_once(finished_of_four, storage.format(folder))
        assert all(isinstance(count, int) and count >= 4 for count in found), found
        assert len(list(folder.iterdir())) == 1


@pytest.mark.slow
def test_a_server_that_refuses_tables_made_twice_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.storages import RDBStorage  # noqa: PLC0415 - takes long
    from sqlalchemy.exc import IntegrityError  # noqa: PLC0415 - takes long

    from rezsl.experiments import storage  # noqa: PLC0415

    real, asked = RDBStorage, list[str]()

    def refusing(url: str, options: dict[str, Any]) -> Any:
        asked.append(url)
        if len(asked) == 1:
            raise IntegrityError("create type", None, Exception("duplicate key value violates unique constraint"))
        return real(url, options)

    monkeypatch.setattr(storage, "RDBStorage", refusing)
    assert search(f"sqlite:///{tmp_path}/study.db").finished == 3
    assert len(asked) == 2


def test_a_lock_that_a_dead_process_has_left_is_not_waited_for(tmp_path: Path) -> None:
    """Optuna's own lock is a link, which stays after a crash."""
    (tmp_path / "journal.lock").symlink_to("journal")
    started = time.monotonic()
    assert search(tmp_path / "journal").finished == 3
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_a_live_lock_is_told_after_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "journal"
    search(path)
    with holder("file", path) as process:
        killer = threading.Timer(2, process.kill)
        killer.start()
        assert search(path, 4).finished == 4
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("waiting for another process")]
    assert lines == [f"waiting for another process, which has locked {path}"]


def test_a_journal_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "journal")
    assert search(tmp_path / "link").finished == 3
    assert (tmp_path / "link").is_symlink()

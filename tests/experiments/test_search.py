import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from rezsl.errors import ArgumentError, RunDirectoryError
from rezsl.experiments.search import SettingsSearch
from rezsl.experiments.space import read_space
from rezsl.experiments.storage import opened
from rezsl.training import Choice

pytestmark = pytest.mark.slow

SPACE = {"x": {"low": 0.0, "high": 1.0}, "idle": [None, "a", [1, 2]]}


def choice(h: float, epoch: int = 1) -> Choice:
    return Choice(epochs=epoch, gamma=0.0, t1=0.5, harmonic_mean=h, standard_error=0.1, ausuc=1 - h, unseen_classes=3)


def parabola(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
    return choice(1 - (values["x"] - 0.3) ** 2)


def picky(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
    if values["x"] > 0.5:
        raise ArgumentError("x: expected at most 0.5")
    return parabola(values, watch)


def test_the_best_setting_is_found_and_what_mattered(tmp_path: Path) -> None:
    found = SettingsSearch(parabola, read_space(SPACE, "s"), 30, str(tmp_path / "study")).run()
    assert found.values["x"] == pytest.approx(0.3, abs=0.1)
    assert found.score == pytest.approx(1 - (found.values["x"] - 0.3) ** 2)
    assert next(iter(found.importance)) == "x"
    assert sum(found.importance.values()) == pytest.approx(1)
    assert (found.finished, found.pruned, found.failed) == (30, 0, 0)


@pytest.mark.parametrize("storage", ["{}/study.journal", "sqlite:///{}/study.db"])
def test_a_study_goes_on_and_is_never_mixed_with_another(storage: str, tmp_path: Path) -> None:
    where, space = storage.format(tmp_path), read_space(SPACE, "s")
    lines: list[str] = []
    SettingsSearch(parabola, space, 2, where, record={"max_epochs": 3}).run()
    SettingsSearch(parabola, space, 5, where, record={"max_epochs": 3}).run(lines.append)
    assert [line.partition(":")[0] for line in lines] == ["trial 3", "trial 4", "trial 5"]
    again = SettingsSearch(parabola, space, 5, where, record={"max_epochs": 3}).run(lines.append)
    assert (again.finished, len(lines)) == (5, 3)
    with pytest.raises(RunDirectoryError, match=r"begun with another config.max_epochs: 3 → 4; continue it"):
        SettingsSearch(parabola, space, 6, where, record={"max_epochs": 4}).run()
    with pytest.raises(RunDirectoryError, match=r"begun with another objective: H → AUSUC"):
        SettingsSearch(parabola, space, 6, where, objective="AUSUC", record={"max_epochs": 3}).run()
    other = SettingsSearch(parabola, space, 1, where, study="other", objective="AUSUC").run()
    assert other.finished == 1


def test_processes_share_a_study_and_never_exceed_its_trials(tmp_path: Path) -> None:
    space, where = read_space({"x": {"low": 0.0, "high": 1.0}}, "s"), str(tmp_path / "study")
    lines: list[str] = []
    SettingsSearch(parabola, space, 1, where).run()
    found = SettingsSearch(picky, space, 6, where, processes=2).run(lines.append)
    assert found.finished + found.failed == 6
    assert sorted(line.partition(":")[0] for line in lines) == [f"trial {number}" for number in range(2, 7)]
    assert len({line.partition("(x ")[2] for line in lines}) == 5  # no draw is made twice
    with pytest.raises(
        ArgumentError, match=r"^processes: the process of a trial was ended by SIGKILL; the same command"
    ):
        SettingsSearch(die, space, 7, where, processes=2).run()
    assert SettingsSearch(parabola, space, 6, where, processes=2).run().score == found.score


def test_a_call_that_a_cluster_begins_again_is_one_trial(tmp_path: Path) -> None:
    where, space = str(tmp_path / "study"), read_space(SPACE, "s")
    search = SettingsSearch(parabola, space, 3, where)
    search.run()
    line = search._run_in_worker(7, "call a")
    assert search._run_in_worker(8, "call a") == line  # its worker died after it had ended
    with opened(where) as storage:
        study = optuna.load_study(storage=storage, study_name="sweep")
        lost = study.ask()
        lost.set_user_attr("call", "call b")  # its worker died before
        again = search._run_in_worker(9, "call b")
        states = [trial.state.name for trial in study.get_trials()]
    assert states == ["COMPLETE"] * 4 + ["FAIL", "COMPLETE"]
    assert (line.partition(":")[0], again.partition(":")[0]) == ("trial 4", "trial 6")
    assert SettingsSearch(parabola, space, 5, where).run().finished == 5


def die(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
    """End the process as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_trials_that_fall_behind_are_given_up(tmp_path: Path) -> None:
    trained: list[int] = []

    def slow(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
        trained.append(0)
        for epoch in range(1, 9):
            trained[-1] = epoch
            watch(choice(1 / len(trained), epoch))
        return choice(1 / len(trained), 8)

    found = SettingsSearch(slow, read_space(SPACE, "s"), 8, str(tmp_path / "study")).run()
    assert (found.finished, found.pruned) == (4, 4)
    assert trained[:4] == [8] * 4
    assert trained[4:] == [2] * 4
    assert found.score == 1


def test_settings_that_cannot_be_run_are_failed_trials(tmp_path: Path) -> None:
    lines: list[str] = []
    found = SettingsSearch(picky, read_space(SPACE, "s"), 8, str(tmp_path / "study")).run(lines.append)
    assert found.failed > 0
    assert found.finished + found.failed == 8
    assert any("failed: x: expected at most 0.5  (x 0." in line for line in lines)
    with pytest.raises(
        ArgumentError, match="expected at least one that runs to its end, got none; the last one failed: x"
    ):
        SettingsSearch(picky, read_space({"x": {"low": 0.6, "high": 0.9}}, "s"), 2, str(tmp_path / "b")).run()


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("{}/none/study", "expected a file in a folder that exists, got {}/none/study; make the folder"),
        ("foo://x", "expected sqlite, postgresql or mysql before ://, got foo; give one of these"),
        (
            "sqlite:///{}/none/study.db",
            "expected a database of studies, but this one of sqlite cannot be used (unable to open database file); check the "
            "address, restore the database from a copy, or name another one",
        ),
        (
            "mysql+pymysql://user:secret@localhost/x",
            "mysql+pymysql:// needs the Python package pymysql, which is not installed; install it, or name another "
            "driver, as in mysql+DRIVER://",
        ),
    ],
)
def test_a_storage_that_cannot_be_opened_is_named(
    location: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(ArgumentError) as error:
        SettingsSearch(parabola, read_space(SPACE, "s"), 1, location.format(tmp_path)).run()
    assert str(error.value) == f"storage: {message.format(tmp_path)}"


def test_a_database_that_is_lost_on_the_way_is_told_in_one_line(tmp_path: Path) -> None:
    def losing(values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
        with closing(sqlite3.connect(tmp_path / "study.db")) as database:
            database.execute("drop table trial_values")
            database.commit()
        return parabola(values, watch)

    with pytest.raises(
        ArgumentError,
        match=r"^storage: .* sqlite cannot be used \(no such table: trial_values\); check the address, .*",
    ):
        SettingsSearch(losing, read_space(SPACE, "s"), 2, f"sqlite:///{tmp_path}/study.db").run()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"low": 1, "high": 1}, "s: x: expected low below high, got 1 to 1; the range is empty"),
        ({"low": 0, "high": 1, "log": True}, "s: x: expected low above 0 and no step with log, got low 0"),
        ({"low": "1e-4", "high": 1}, 's: x: expected low to be a number, got "1e-4"'),
        ({"low": 0, "high": 1, "step": 0.3}, "expected high to be low plus whole steps, got 0 to 1 in steps of 0.3"),
        ({"low": 0}, "s: x: expected {low, high}, optionally with log or step, or a list of choices"),
        ([1], "expected at least two choices, got [1]"),
        ([1, 1], "expected choices that differ"),
    ],
)
def test_an_empty_or_odd_range_is_told(entry: object, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        read_space({"x": entry}, "s")
    assert message in str(error.value)

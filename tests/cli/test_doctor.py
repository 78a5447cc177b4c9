"""``rezsl doctor``: what it shows, in 80 columns and as JSON, also where packages are missing."""

import json
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

from rezsl.cli import doctor
from rezsl.cli.doctor import DISABLES, bytes_of, requirements
from rezsl.cli.main import USER_ERROR, main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"all", "dev", "docs"}


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requirements of pyproject.toml, as a new installation records them."""
    lines = [*PROJECT["dependencies"]]
    lines += [f"{text}; extra == '{extra}'" for extra, texts in EXTRAS.items() for text in texts]
    monkeypatch.setattr(doctor, "requires", lambda of: lines)


@pytest.fixture
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache with 2,000 bytes, and a link to them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "rezsl" / "store").mkdir(parents=True)
    (tmp_path / "rezsl" / "store" / "regions.bin").write_bytes(bytes(2000))
    (tmp_path / "rezsl" / "link").symlink_to(tmp_path / "rezsl" / "store" / "regions.bin")
    return tmp_path


def test_everything_is_shown_in_80_columns(caches: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    paths = (str(caches), str(Path(doctor.__file__).parents[1]))
    lines = [line for line in printed.splitlines() if not any(path in line for path in paths)]
    assert max(map(len, lines)) <= 80
    titles = [line for line in lines if line and line[0] != " "]
    assert [title.split()[0].strip(":,") for title in titles[:4]] == ["Versions", "Devices", "Caches", "Optional"]
    for word in ("torch ", "cpu ", "2.0 kB: regions of photos", *DISABLES):
        assert word in printed
    assert printed.count("rich==") == 1  # once, although many parts need it


def test_the_same_as_json(caches: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["core"]["problems"] == []
    assert found["core"]["packages"]["torch"]
    assert found["devices"][0]["name"] == "cpu"
    assert found["caches"][0] == {
        "path": str(caches / "rezsl"),
        "holds": "regions of photos, computed once",
        "bytes": 2000,
    }


def test_every_extra_says_what_it_is_for() -> None:
    assert {*DISABLES} == {*EXTRAS} - FOR_DEVELOPERS
    found = requirements()
    assert found[""] == PROJECT["dependencies"]
    assert {*found["experiments"]} == {*EXTRAS["experiments"][:2], *EXTRAS["cli"], *EXTRAS["report"], *EXTRAS["train"]}


def test_missing_and_old_packages_are_named(
    caches: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    def version(package: str) -> str:
        if package in ("kornia", "optuna"):
            raise PackageNotFoundError(package)
        return "1.0" if package == "matplotlib" else installed_version(package)

    monkeypatch.setattr(doctor, "version", version)
    assert main(["doctor"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    working, missing = printed.split("Optional parts that are missing (pip install 'rezsl[NAME]' adds one):")
    purpose = "photos, and the pretrained networks that read them"
    assert f"images {purpose}; kornia is not installed" in missing
    assert "report tables, plots and pages of results; matplotlib 1.0 is not >=3.10" in missing
    assert f"estimators {DISABLES['estimators']}" in working.split("Optional parts that are installed")[1]


def test_a_broken_core_is_a_failure(
    caches: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(doctor, "_caches", lambda: iter(()))
    assert main(["doctor", "--json"]) == doctor.CORE_BROKEN
    found = json.loads(capsys.readouterr().out)
    assert found["core"]["problems"][0].startswith("torch cannot be imported: ModuleNotFoundError")
    assert main(["doctor"]) == doctor.CORE_BROKEN
    assert "mended):\n  1  torch cannot be imported: ModuleNotFoundError" in capsys.readouterr().out


def test_it_works_without_the_packages_of_other_commands(
    caches: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "parser", lambda: pytest.fail("the parser needs jsonargparse"))
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rezsl"]
    assert main(["doctor", "all"]) == USER_ERROR
    assert "unexpected argument all" in capsys.readouterr().err
    assert main(["doctor", "--jsn"]) == USER_ERROR
    expected = "rezsl: error: unknown option --jsn (did you mean --json?); see rezsl doctor --help\n"
    assert capsys.readouterr().err == expected


def test_sizes_are_read_by_people() -> None:
    assert [bytes_of(count) for count in (0, 999, 2_500_000, 3 * 10**12)] == ["empty", "1.0 kB", "2.5 MB", "3000.0 GB"]

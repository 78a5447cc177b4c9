"""What a release consists of: its version, its page on a package index, the changelog and the workflows."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINK = re.compile(r"\]\(([^)]+)\)")


def read_workflow(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))
    return content


def test_the_page_on_an_index_has_no_link_that_leads_nowhere() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = readme
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text, count = re.subn(rule["pattern"], rule["replacement"], text)
        assert count, f"a rule that replaces nothing: {rule}"
    kept = LINK.findall(text)
    assert kept
    assert [link for link in kept if not link.startswith("https://")] == []
    assert set(kept) == {link for link in LINK.findall(readme) if link.startswith("https://")}
    assert "DINOv2-small by default (88 MB" in text
    assert "*Picture in the repository: The maps of seven attributes" in text
    assert "No release" not in text


def test_every_rule_of_the_changelog_is_kept() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert [line for line in versions[1:] if not re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", line)] == []
    kinds = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert kinds
    assert {*kinds} <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_workflow_tests_every_version_that_is_declared() -> None:
    matrix = read_workflow("tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    declared = [line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if "Python :: 3." in line]
    assert matrix["python"] == declared
    assert PROJECT["project"]["requires-python"] == f">={declared[0]}"
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]


def test_a_release_is_tested_built_and_published_without_a_password() -> None:
    workflow = read_workflow("release.yml")
    (pattern,) = workflow[True]["push"]["tags"]  # YAML reads "on" as true
    assert pattern.startswith("v[0-9]+.")
    jobs = workflow["jobs"]
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("tests", "build")
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "release"
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "password:" not in text


@pytest.mark.slow
def test_the_version_is_that_of_the_tag_or_of_a_copy_without_git(tmp_path: Path) -> None:
    for package in ("hatchling", "hatch_vcs", "hatch_fancy_pypi_readme"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    assert version_of(tmp_path) == "0.1.dev0"
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "x")
    assert version_of(tmp_path).startswith("0.1.dev1+g")
    git(tmp_path, "tag", "v1.2.3")
    assert version_of(tmp_path) == "1.2.3"


def version_of(folder: Path) -> str:
    command = [sys.executable, "-m", "hatchling", "metadata", "version"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)

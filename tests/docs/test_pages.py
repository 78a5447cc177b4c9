"""The code of every page runs: Python blocks in one namespace per page, ``rezsl`` commands as a shell would call them.

A block under the comment ``<!-- not run: reason -->`` is only compiled, or its options are only parsed.
"""

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rezsl.cli._options import parse
from rezsl.cli.main import main
from rezsl.errors import ArgumentError, RezslError
from rezsl.experiments.plan import read_plan
from rezsl.files import read_yaml
from tests.docs.pages import CodeBlock, code_blocks, command_lines

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
PAGES = [README, *sorted(page for page in DOCS.rglob("*.md") if code_blocks(page))]
LANGUAGES = {"python", "sh", "yaml", "text", "csv"}
OTHER_PROGRAMS = {"dask", "export", "make", "pip", "python", "ray", "srun", "torchrun"}
HOURS = {
    "README.md": "half a minute of training",
    "results.md": "hours of training",
    "benchmarks.md": "the speed of a quiet machine",
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS.parent).as_posix())
@pytest.mark.filterwarnings("default:.*fork:DeprecationWarning")
def test_code_of_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(page):
        where = f"{page.relative_to(DOCS.parent)}:{block.line}"
        assert block.language in LANGUAGES, f"{where}: expected one of {LANGUAGES}, got {block.language!r}"
        if block.code.startswith(">>> "):
            continue  # The collector of doctests runs it.
        if block.language == "python":
            run_python(block, where, namespace)
        elif block.language == "sh":
            for line in command_lines(block.code):
                run_command(line, block, where, capsys)
        elif block.language in {"yaml", "csv"}:
            keep_file(block, tmp_path)


def blocks_of(page: Path) -> list[CodeBlock]:
    """Return the blocks of a page; on some pages all commands take too long to run."""
    whole = HOURS.get(page.name, "")
    return [block._replace(reason=block.reason or whole) for block in code_blocks(page)]


def run_python(block: CodeBlock, where: str, namespace: dict[str, Any]) -> None:
    """Compile a block so that a traceback names the page and its line, and execute it unless it has a reason not to."""
    code = compile("\n" * (block.line - 1) + block.code, where, "exec")
    if not block.reason:
        exec(code, namespace)


def keep_file(block: CodeBlock, folder: Path) -> None:
    """Write a YAML or CSV block whose first line is a comment with a file's name to that file, for the blocks below it."""
    first, _, rest = block.code.partition("\n")
    if first.startswith("# ") and first.endswith((".yaml", ".csv")):
        (folder / first.removeprefix("# ")).write_text(rest, encoding="utf-8")


def run_command(line: str, block: CodeBlock, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(line)
    if arguments[0] in OTHER_PROGRAMS:
        return
    assert arguments[0] == "rezsl", f"{where}: expected a command of rezsl, got {line!r}"
    if block.reason:
        parse_command(arguments[1:])
        return
    assert main(arguments[1:]) == 0, f"{where}: {line}\n{capsys.readouterr().err}"


def parse_command(arguments: list[str]) -> None:
    """Parse a command as the command line does, without opening any file but configurations."""
    if arguments[0] in ("data", "semantics"):
        command = import_module(f"rezsl.cli.{arguments[0]}_{arguments[1].replace('-', '_')}")
        parse(command.parser(), arguments[2:])
        return
    command = import_module(f"rezsl.cli.{arguments[0]}")
    # The parser would print the settings and end the process.
    rest = [argument for argument in arguments[1:] if argument != "--print-config"]
    if "--import" in rest:  # it is taken out before options are parsed, and its module is in a block that is not run
        del rest[(at := rest.index("--import")) : at + 2]
    rest = command.prepare(rest) if hasattr(command, "prepare") else rest
    with pytest.MonkeyPatch.context() as patch:
        if any(argument.startswith("configs/") for argument in rest):
            patch.chdir(DOCS.parent)
        settings = parse(command.parser(), rest)
        if arguments[0] == "compare":
            read_plan(read_yaml(settings.plan, ArgumentError), str(settings.plan))


def test_no_page_without_a_place_in_the_navigation() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert [page for page in pages if f" {page}\n" not in navigation] == []


def test_every_cited_test_exists() -> None:
    """The pages on theory and speed cite tests by their names, below the name of their file."""
    functions = {
        name
        for file in (DOCS.parent / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    files = {file.name for file in (DOCS.parent / "tests").rglob("test_*.py")}
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    cited = set(re.findall(r"::`?\n? *`?(test_\w+)`", text))
    assert len(cited) > 40
    assert cited - functions == set()
    assert set(re.findall(r"\b(test_\w+\.py)", text)) - files == set()


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert len(local) > 10
    assert [link for link in local if not (README.parent / link).exists()] == []


def test_every_public_room_has_its_page() -> None:
    import rezsl  # noqa: PLC0415 - only this test needs it

    missing = [room for room in rezsl._ROOMS if f"::: rezsl.{room}\n" not in (DOCS / "api" / f"{room}.md").read_text()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS.parent).as_posix())
def test_no_fence_escapes_the_collector(page: Path) -> None:
    fences = [
        line for line in page.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith(("```", "~~~"))
    ]
    assert len(fences) == 2 * len(code_blocks(page))


def test_collector_returns_language_line_and_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```python\nx = 1\n```\n\n<!-- not run: needs CUB -->\n```sh\nrezsl fit \\\n  --seed 1  # why\n```\n"
    )
    first, second = code_blocks(page)
    assert first == ("python", "x = 1\n", 4, "")
    assert second[0] == "sh"
    assert second[2:] == (9, "needs CUB")
    assert command_lines(second.code) == ["rezsl fit --seed 1"]


def test_a_wrong_option_is_found_even_where_nothing_runs() -> None:
    with pytest.raises(RezslError, match="unknown option --lost"):
        parse_command(["fit", "--data", "digits", "--lost", "mse"])

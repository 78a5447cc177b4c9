"""The help of every command: complete, in the names that users type, 80 columns wide, and quick."""

import inspect
import re
import shlex
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import Ranked
from rezsl.cli._answers import FAR
from rezsl.cli._screens import SCREENS
from rezsl.cli.main import USER_ERROR, main
from tests.cli.test_choices import PARTS
from tests.docs.test_pages import parse_command

ROOT = Path(__file__).parents[2]
STATED = re.compile(r"\(default: ([^) ]+)\)|(?:^|[ :,])([\w-]+) \(default\)")
COMMANDS = [name for name, screen in SCREENS.items() if not screen.is_group]


def parser_of(command: str) -> ArgumentParser:
    parser: ArgumentParser = import_module(f"rezsl.cli.{command}".replace(" ", "_").replace("-", "_")).parser()
    return parser


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["", *SCREENS])
@pytest.mark.parametrize("detail", [[], ["all"]])
def test_help_is_plain_text_of_80_columns(command: str, detail: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, *command.split(), "--help", *detail)
    assert max(map(len, text.splitlines())) <= 80
    if not detail:
        assert len(text.splitlines()) <= 40
    for mark in ("`", ":func:", ":class:", "rezsl.", "functools", "Namespace", "typing", "<class '", "NoneType"):
        assert mark not in text
    assert not re.search(r"--[\w.-]*_", text)


def test_the_help_of_predict_explains_the_words_of_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    columns = {"strangeness", *Ranked._fields} - {"name", "seen"}
    for detail in ([], ["all"]):
        text = printed(capsys, "predict", "--help", *detail)
        meanings = text.partition("\nWhat it prints:\n")[2]
        assert {line.split()[0] for line in meanings.splitlines() if re.match(r"  \S", line)} == {*columns, "far"}
        assert f"\n  {FAR}\n" in meanings


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_its_line_in_the_whole_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, *command.split(), "--help", "all")
    absent = {"--run_dir", "--resume", "--report"} if command == "sweep" else set()
    for action in parser_of(command)._actions:
        if type(action).__name__ in ("_HelpAction", "_ActionConfigLoad") or {*action.option_strings} & absent:
            continue
        names = [name for name in action.option_strings if not name.endswith("+")] or [str(action.metavar)]
        for name in names:
            assert re.search(rf"(^| ){re.escape(name.replace('_', '-'))}[ ,.]", text, re.MULTILINE), name


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_screen_says_of_options_is_true(command: str) -> None:
    parser, screen = parser_of(command), SCREENS[command]
    actions: dict[str, Any] = {name.replace("_", "-"): a for a in parser._actions for name in a.option_strings}
    actions |= {str(action.metavar): action for action in parser._actions if not action.option_strings}
    for written, text in screen.options.items():
        name = written.replace(", ", " ").split()[-2 if " " in written.removeprefix("-o, ") else -1]
        if name not in actions:  # an option of a choice, such as --data.root
            choice, _, option = name.removeprefix("--").rpartition(".")
            assert any(
                option.replace("-", "_") in inspect.signature(part).parameters for part in PARTS[choice].values()
            )
            continue
        if (default := actions[name].default) is None:
            continue
        for stated in STATED.findall(text):
            value = next(filter(None, stated))
            shown = (
                default["class_path"]
                if isinstance(default, dict | Namespace)
                else getattr(default, "__name__", default)
            )
            shown = shown[0] if isinstance(shown, list) else shown
            assert str(shown).removeprefix("rezsl.").removeprefix("regions.").removeprefix("losses.") == value, (
                f"{command} {name}: {text}"
            )


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_can_be_typed(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    for line in SCREENS[command].examples:
        words = shlex.split(line.replace("\\\n", "").partition(" > ")[0])
        assert words[0] == "rezsl"
        if {"--config", "plan.yaml"} & set(words):
            continue  # the file is the user's own
        parse_command(words[1:])


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["data"], ["fot"], *([*c.split(), "-h"] for c in COMMANDS)]
)
def test_help_imports_nothing_that_takes_long(arguments: list[str]) -> None:
    heavy = "{'torch', 'jsonargparse', 'optuna', 'lightning_fabric', 'matplotlib', 'numpy', 'rich'}"
    program = f"import sys; from rezsl.cli import main; main({arguments}); sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_files_and_pages_type_options_with_hyphens() -> None:
    files = [ROOT / "README.md", ROOT / "Makefile", ROOT / "CONTRIBUTING.md"]
    files += [
        path for folder in ("docs", "configs") for path in (ROOT / folder).rglob("*") if path.suffix in {".md", ".yaml"}
    ]
    wrong = {path.name: re.findall(r"(?<![\w-])--[a-z][\w.]*_[\w.]*", path.read_text()) for path in files}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_own_classes_are_imported_where_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_models.py").write_text(
        "from rezsl.models import LinearRegressor\n\n\nclass Own(LinearRegressor, name='own'):\n    pass\n"
    )
    (tmp_path / "make.py").write_text(
        "import numpy, rezsl, my_models\nfrom rezsl.regions import FeatureScaler\n"
        "semantics = rezsl.load_digits().semantics\nnetwork = my_models.Own(5, semantics)\n"
        "rezsl.save_model(rezsl.ZeroShotClassifier(FeatureScaler(5), network, semantics, ['0']), 'run')\n"
        "numpy.save('rows.npy', numpy.ones((1, 5)))\n"
    )
    (tmp_path / "use.py").write_text(
        "import sys\nfrom rezsl.cli import main\nsys.path.remove(sys.path[0])\n"
        "predict = ['predict', 'run', 'rows.npy']\n"
        "print(main(predict), main([*predict, '--import', 'my_models']))\n"
    )
    run = partial(subprocess.run, capture_output=True, text=True, check=True, cwd=tmp_path)
    run([sys.executable, "make.py"])
    used = run([sys.executable, "use.py"])
    assert used.stdout.splitlines()[-1] == f"{USER_ERROR} 0"
    assert (
        "unknown SemanticModel class 'Own'; if it is your own, import its module first, on the command line with"
        in (used.stderr)
    )
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "run", "--import=none_such"]) == USER_ERROR
    assert "--import: expected a module of the current folder, such as models for models.py, got 'none_such'" in (
        capsys.readouterr().err
    )

"""An error about an argument names the option of the command line that the argument is, as it was typed."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rezsl.cli._errors import naming_options
from rezsl.cli._parser import as_parsed
from rezsl.cli.main import main
from rezsl.errors import ArgumentError, DataError, DivergenceError, ModelFileError, RezslError, renamed

COMMANDS = ("fit", "sweep", "compare", "extract", "evaluate", "report", "predict", "explain", "data_check", "data_make_splits", "demo")  # fmt: skip


@cache
def parser_of(command: str) -> Any:
    return import_module(f"rezsl.cli.{command}").parser()


def named(command: str, arguments: list[str], error: RezslError) -> str:
    options = parser_of(command)
    with pytest.raises(type(error)) as caught, naming_options(options, arguments):
        raise error
    # A message about an option ends with where it is described, unless it says what to do itself.
    return str(caught.value).removesuffix(f"; see {options.prog} --help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_becomes_its_option_whether_it_was_typed_or_not(command: str) -> None:
    for action in parser_of(command)._actions:
        strings = [string for string in action.option_strings if not string.endswith(("+", ".help"))]
        if action.dest == "help" or "." in action.dest or not (strings or action.metavar):
            continue
        long = strings[-1].replace("_", "-") if strings else str(action.metavar)
        assert named(command, [], ArgumentError(f"{action.dest}: expected x")) == f"{long}: expected x"
        for typed in strings:
            word = typed.replace("_", "-") if typed.startswith("--") else typed
            for arguments in ([word, "y"], [f"{word}=y"] if word.startswith("--") else [f"{word}y"]):
                assert named(command, arguments, ArgumentError(f"{action.dest}: no")) == f"{word}: no"


@pytest.mark.parametrize(
    ("command", "arguments", "error", "expected"),
    [
        ("fit", ["--data.seed=1"], ArgumentError("seed: no"), "--data.seed: no"),
        ("fit", ["--data.seed=1", "--seed", "2"], ArgumentError("seed: no"), "--seed: no"),
        ("fit", [], ArgumentError("source: no"), "--backbone.source: no"),
        ("fit", [], ModelFileError("source: no"), "--backbone.source: no"),
        ("fit", [], ArgumentError("trainable_stages: no"), "--backbone.trainable-stages: no"),
        ("fit", [], ArgumentError("hidden_dim: no"), "--model.hidden-dim: no"),
        ("fit", [], ArgumentError("root: no"), "--data.root: no"),
        ("fit", [], ArgumentError("batches.micro: no"), "--batches.micro: no"),
        ("fit", [], ArgumentError("run_dir, resume: no"), "--run-dir, --resume: no"),
        ("fit", ["--data.classes=3"], DataError("classes: too few"), "--data.classes: too few"),
        # What is wrong with the data is no option of the command, unless that was typed.
        ("fit", [], DataError("classes: too few"), "classes: too few"),
        ("fit", [], ArgumentError("region_dim: no"), "region_dim: no"),
        ("fit", [], ArgumentError("loss, region_dim: no"), "loss, region_dim: no"),
        (
            "fit",
            ["--loss", "MSELoss"],
            DivergenceError("loss: expected a finite number"),
            "loss: expected a finite number",
        ),
        ("predict", [], DataError("a.csv: seed: no"), "a.csv: seed: no"),
        ("predict", [], ArgumentError("no colon"), "no colon"),
    ],
)
def test_which_option_an_argument_is(command: str, arguments: list[str], error: RezslError, expected: str) -> None:
    assert named(command, arguments, error) == expected


def test_an_argument_of_an_inner_function_takes_the_name_of_the_outer_one() -> None:
    with pytest.raises(ArgumentError, match=r"^outer: no$"), renamed(inner="outer"):
        raise ArgumentError("inner: no")
    with pytest.raises(DataError, match=r"^other: no$"), renamed(inner="outer"):
        raise DataError("other: no")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fit --data digits --loss null --classification null", "--loss, --classification: expected at least one of them"),
        ("fit --data digits --model eszsl", "--model: ESZSL is solved for on features"),
        ("data check . --decode", "--decode: expected a folder of one's own images"),
        ("compare plan.yaml -o x --data-root wrong", "--data-root: expected NAME=PATH"),
    ],
)  # fmt: skip
def test_commands_name_options(
    arguments: str, message: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with open("plan.yaml", "w", encoding="utf-8") as stream:
        stream.write("datasets: {a: {data: digits}}\nmethods: {m: {}}\nlosses: {l: {}}\nseeds: [0]\nbaseline: l\n")
    assert main(arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"rezsl: error: {message}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.value-range", "5"], "--data.value-range: expected two numbers such as 0 4095, got 5; see rezsl fit --help"),
        (["--data.value-range", "5", "2"], "--data.value-range: expected two numbers, the value that is black and a larger one that is white, got 5 2"),
        (["--data.value-range=[0, x]"], "--data.value-range: expected two numbers such as 0 4095; see rezsl fit --help"),
    ],
)  # fmt: skip
def test_a_range_that_is_none(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--data", "folder", "--data.root", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


def test_two_numbers_are_one_value() -> None:
    words = ["--data.value-range", "-1e3", "+2.5", "--seed", "1", "--value-range", "0", "x"]
    assert as_parsed(words) == ["--data.value_range=[-1e3, +2.5]", "--seed", "1", "--value_range", "0", "x"]

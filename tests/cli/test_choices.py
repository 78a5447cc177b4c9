"""Every registered part is a choice of ``rezsl fit`` by its name, with the options of its signature."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from rezsl.cli._options import parse
from rezsl.cli.choices import NAMES
from rezsl.cli.fit import parser
from rezsl.data import READERS
from rezsl.errors import RezslError
from rezsl.losses import LOSSES
from rezsl.models import MODELS
from rezsl.regions import BACKBONES
from rezsl.training import LOGGERS

PARTS: dict[str, dict[str, Callable[..., Any]]] = {
    "data": {name: reader.load for name, reader in READERS.items()},
    "model": {**MODELS},
    "backbone": {**BACKBONES},
    "logger": {**LOGGERS},
    "loss": {**LOSSES},
    "classification": {**LOSSES},
}
CHOICES = [(option, name) for option, names in NAMES.items() for name in names if name != "null"]


@pytest.mark.parametrize(("option", "name"), CHOICES)
def test_every_name_has_a_help_of_its_options(option: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args([f"--{option}.help", name])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    arguments = [*inspect.signature(PARTS[option][name]).parameters]
    # The first two arguments of a model and of a backbone are given by fit.
    for argument in arguments[2:] if option in {"model", "backbone"} else arguments:
        assert f"--{option}.{argument.replace('_', '-')} " in printed


@pytest.mark.parametrize(("option", "name"), CHOICES)
def test_a_misspelt_name_is_answered_by_the_right_one(option: str, name: str) -> None:
    with pytest.raises(
        RezslError, match=rf"--{option}: unknown '{name}x' \(did you mean {name}\?\); expected .*{name}"
    ):
        parse(parser(), ["--data", "synthetic", f"--{option}", f"{name}x"])

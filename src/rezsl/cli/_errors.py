"""Errors about an argument of a Python function, which on the command line name the option that was typed."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jsonargparse import ArgumentParser

from rezsl.cli._parser import as_parsed, as_typed
from rezsl.errors import DataError, DivergenceError, RezslError


@contextmanager
def naming_options(options: ArgumentParser, arguments: Sequence[str]) -> Iterator[None]:
    """Replace the arguments at the beginning of the messages of errors inside the block by the options of a command.

    Args:
        options: the parser of the command.
        arguments: the words after the command, as they were typed.
    """
    try:
        yield
    except RezslError as error:
        message = _renamed(error, options, arguments)
        if message.startswith("-") and ";" not in message and not isinstance(error, DivergenceError):
            message += f"; see {options.prog} --help"
        if message == str(error):
            raise
        raise type(error)(message) from error


def _renamed(error: RezslError, options: ArgumentParser, arguments: Sequence[str]) -> str:
    """Return the message of an error with the options of a command in place of the arguments that it begins with."""
    argument, colon, rest = str(error).partition(": ")
    names = argument.split(", ")
    # A loss that diverges has the name of an option, and no other value of that option is asked for. A file that was
    # typed, such as the folder "run", may have the name of an argument too.
    if (
        isinstance(error, DivergenceError)
        or not colon
        or argument in arguments
        or not all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", name) for name in names)
    ):
        return str(error)
    # What is wrong with the data may have the name of an option without being about it, if that was not typed.
    found = [
        _typed(name, options, arguments) or ("" if isinstance(error, DataError) else _untyped(name, options))
        for name in names
    ]
    return f"{', '.join(found)}{colon}{rest}" if all(found) else str(error)


def _typed(name: str, options: ArgumentParser, arguments: Sequence[str]) -> str:
    """Return the option for an argument as it was typed, such as ``-o``; empty where it was not typed."""
    words = [word.partition("=")[0] for word in arguments if word.startswith("-")]
    short = {string: action.dest for string, action in options._option_string_actions.items() if len(string) == 2}
    typed = [(short.get(word[:2], as_parsed([word])[0][2:]), word) for word in words]
    typed.sort(key=lambda pair: pair[0] != name)
    return next((word if word[:2] == "--" else word[:2] for dest, word in typed if _is_of(dest, name)), "")


def _untyped(name: str, options: ArgumentParser) -> str:
    """Return the option or positional argument of the command for an argument; empty where there is none."""
    own = sorted(options._actions, key=lambda action: action.dest != name)
    for action in own:
        if _is_of(action.dest, name):
            strings = [string for string in action.option_strings if not string.endswith("+")]
            return as_typed(strings[-1]) if strings else str(action.metavar)
    from rezsl.cli.choices import PARAMETERS  # noqa: PLC0415 - loads the data readers and models

    chosen = [of for of in PARAMETERS if any(action.dest == of for action in own)]
    return next((as_typed(f"--{of}.{name}") for of in chosen if name in PARAMETERS[of]), "")


def _is_of(dest: str, name: str) -> bool:
    """Return whether an option has the name of an argument, or is one of a group's options that has it."""
    return f".{dest}".endswith(f".{name}")

"""The ``rezsl`` command: which command, its options, and what a person is told when something is wrong."""

import difflib
import os
import re
import sys
import traceback
from argparse import ArgumentError as OptionError
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from rezsl.errors import RezslError

COMMANDS = {
    "demo": "train on the embedded handwritten digits, with three losses side by side",
    "fit": "train on a benchmark: select on validation classes, refit, test once",
    "evaluate": "score a trained model on the test images of its own or another benchmark",
    "predict": "name the classes of images, also classes that no training ever saw",
}
USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's); return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    try:
        return _run(arguments)
    except (RezslError, OptionError) as error:
        if verbose:
            traceback.print_exc()
        print(f"rezsl: error: {_one_line(error)}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("\nrezsl: interrupted; an unfinished run goes on with the same command and --resume", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing more can be written, not even by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        print(f"rezsl {version('rezsl')}")
        return 0
    name, rest = arguments[0], [_underscored(argument) for argument in arguments[1:]]
    if name not in COMMANDS:
        raise RezslError(f"unknown command {name!r}{_suggestion(name, COMMANDS)}; commands: {', '.join(COMMANDS)}")
    command = import_module(f"rezsl.cli.{name}")
    options = command.parser()
    if hasattr(command, "prepare"):
        rest = command.prepare(rest)
    try:
        settings = options.parse_args(rest)
    except OptionError as error:
        unknown = re.search(r"unrecognized arguments: (--[\w.]+)", str(error))
        if unknown is None:
            raise
        known = [string for action in options._actions for string in action.option_strings]
        raise RezslError(f"unknown option {unknown[1]}{_suggestion(unknown[1], known)}; see rezsl {name} --help") from error
    command.run(options, settings)
    return 0


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "usage: rezsl COMMAND [options]\n\n"
        "Attribute-based zero-shot learning: recognise classes without training photos.\n\n"
        f"{lines}\n\n"
        "rezsl COMMAND --help lists a command's options. --verbose shows the traceback of an error."
    )


def _underscored(argument: str) -> str:
    """``--run-dir`` is as good as ``--run_dir``; values stay as they are."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _suggestion(word: str, known: Sequence[str] | dict[str, str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

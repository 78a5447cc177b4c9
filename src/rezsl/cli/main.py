"""The ``rezsl`` command: which command, its options, and what a person is told when something is wrong."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from rezsl.cli.options import parse, suggestion
from rezsl.errors import RezslError

COMMANDS = {
    "demo": "train on the embedded handwritten digits, with three losses side by side",
    "fit": "train on a benchmark: select on validation classes, refit, test once",
    "sweep": "search for settings of fit on validation classes, with Optuna",
    "compare": "run methods and losses over data sets and seeds, and set the results side by side",
    "extract": "run a backbone over a benchmark's images once, and keep what it sees for any number of runs",
    "evaluate": "score a trained model on the test images of its own or another benchmark",
    "report": "write a page on one or more runs: the answer in words, figures, an error matrix to look into",
    "predict": "name the classes of images, also classes that no training ever saw",
    "explain": "draw where each semantic looked in an image, and which semantics decided its class",
    "data": "look a data set over, or split one's own images",
}
USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's); return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    try:
        return _run(arguments)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing more can be written, not even by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RezslError, OSError) as error:
        if verbose:
            traceback.print_exc()
        print(f"rezsl: error: {_one_line(error)}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt as interruption:
        advice = f"; {interruption}" if str(interruption) else ""
        print(f"\nrezsl: interrupted{advice}", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        print(f"rezsl {version('rezsl')}")
        return 0
    name, rest = arguments[0], [_underscored(argument) for argument in arguments[1:]]
    if name not in COMMANDS:
        raise RezslError(f"unknown command {name!r}{suggestion(name, COMMANDS)}; commands: {', '.join(COMMANDS)}")
    command = import_module(f"rezsl.cli.{name}")
    if hasattr(command, "dispatch"):
        return int(command.dispatch(rest))
    options = command.parser()
    if hasattr(command, "prepare"):
        rest = command.prepare(rest)
    return command.run(options, parse(options, rest)) or 0


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


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())

"""The summaries, parsers, output and messages that all commands share."""

import difflib
import re
from argparse import ArgumentError as OptionError
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.errors import ArgumentError, RezslError

COMMANDS = {
    "demo": "train on the embedded handwritten digits, with three losses side by side",
    "fit": "train on a benchmark: select on validation classes, refit, test once",
    "sweep": "search for settings of fit on validation classes, with Optuna",
    "compare": "run methods and losses over data sets and seeds, and put the results side by side",
    "extract": "run a backbone over a benchmark's images once, and keep their regions for any number of runs",
    "evaluate": "score a trained model on the test images of its own or another benchmark",
    "report": "write a page on one or more runs: the answer in words, plots, and an error matrix to explore",
    "predict": "name the classes of images, also classes without any training image",
    "explain": "draw the attention of each attribute in an image, and the attributes that decided its class",
    "data": "check a data set, or split one's own images",
    "data check": "list what a data set's directory holds and what is missing",
    "data make-splits": "choose unseen classes, validation classes and test images of one's own folder",
}


def new_parser(command: str) -> ArgumentParser:
    """Make the parser of a command, such as ``data check``; it raises errors and accepts no shortened options."""
    summary = COMMANDS[command]
    return ArgumentParser(
        prog=f"rezsl {command}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        exit_on_error=False,
        allow_abbrev=False,
    )


def parse(options: ArgumentParser, arguments: Sequence[str], command: ArgumentParser | None = None) -> Namespace:
    """Parse a command line; an error is one line that names what was typed.

    Where ``options`` is the parser of the whole command line, ``command`` is the one of the chosen command.
    """
    try:
        return options.parse_args(list(arguments))
    except OptionError as error:
        message = " ".join(str(error).split())
        if command is not None:
            # The parser of the whole line puts the command before the names of its options.
            inside = ".".join(command.prog.split()[1:])
            message = message.replace(f" {inside}.", " ").replace(f'"{inside}.', '"')
        raise RezslError(_explained(message, command or options)) from error


def instantiate(options: ArgumentParser, settings: Namespace) -> Namespace:
    """Build the objects that options describe; an error of rezsl's own is raised unchanged."""
    try:
        built: Namespace = options.instantiate(settings)
    except ValueError as error:
        # jsonargparse tries the members of a union one after the other, and puts the errors of all into one.
        cause = error.__cause__
        while cause is not None and not isinstance(cause, RezslError):
            cause = cause.__cause__
        if isinstance(error, RezslError) or cause is None:
            raise
        raise cause from error
    return built


def add_resume(options: ArgumentParser, description: str) -> None:
    """Add ``--resume``, which means true where no value follows."""
    options.add_argument("--resume", type=bool, nargs="?", const=True, default=False, help=description)


def check_output_file(out: Path, example: str) -> None:
    """Check, before the work is done, that ``--out`` can be a file; ``example`` is a name that would fit."""
    if out.is_dir():
        raise ArgumentError(f"--out: expected a file, got the directory {out}; name a file in it, as {out / example}")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"--out: expected a file in a directory that exists, got {out}; make {out.parent} first")


show = partial(print, sep="\n", flush=True)
"""Print lines at once, so that a log of a long run is complete at any time."""


@contextmanager
def advice_when_interrupted(advice: str) -> Iterator[None]:
    """Add to a Ctrl-C inside the block how the work can be continued; :func:`rezsl.cli.main` prints it."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise KeyboardInterrupt(advice) from interruption


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, in brackets; an empty text where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _explained(message: str, options: ArgumentParser) -> str:
    """Turn the message of jsonargparse into one sentence about the option that was typed."""
    known = [string for action in options._actions for string in action.option_strings]
    if unknown := re.search(r"unrecognized arguments: (--[\w.]+)", message):
        return f"unknown option {unknown[1]}{suggestion(unknown[1], known)}; see {options.prog} --help"
    if unknown := re.match(r"(?:Subcommand '\w+' does not accept o|O)ption '([\w.]+)'", message):
        meant = suggestion(unknown[1], [name.removeprefix("--") for name in known])
        return f"unknown option {unknown[1]!r} in the configuration{meant}; see {options.prog} --help"
    choice = r'Parser key "(\w+)":.*? Expected a dot import path string: ?(\S*)'
    if unknown := re.search(choice, message):
        from rezsl.cli.choices import NAMES  # noqa: PLC0415 - loads the data readers and models

        if names := NAMES.get(unknown[1]):
            return f"--{unknown[1]}: unknown {unknown[2]!r}{suggestion(unknown[2], names)}; expected {', '.join(names)}"
    message = _without_null(message)
    callable_type = (
        r"Type \S*Callable.*? expects a function or a callable class: ?(.*?)(?:\.? Got value: Namespace.*|$)"
    )
    message = re.sub(callable_type, r"\1", message)
    message = re.sub(r'Parser key "([\w.]+)":', r"--\1:", message)
    message = re.sub(r"Problem with given class_path '[\w.]*\.(\w+)':", r"\1:", message)
    message = re.sub(r"^(--\w+): (?:\w+: )?--(\w+):", r"\1.\2:", message)
    message = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"Expected one of \1", message)
    return re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", message)


def _without_null(message: str) -> str:
    """Shorten the message about an option that may be null: for jsonargparse it is a union of two types."""
    members = (
        r"Does not validate against any of the Union subtypes .*? Errors: - (.*) - Expected a <class 'NoneType'>(.*)"
    )
    found = re.search(members, message)
    if found is None:
        return message
    value = found[2].partition(" Given value: ")[2]
    got = "" if value in found[1] or value.startswith("NestedArg(") else f"; got {value}"
    return f"{message[: found.start()]}{found[1]}{got}"

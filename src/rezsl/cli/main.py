"""The ``rezsl`` command: it finds the chosen command, parses its options, and shows errors in one line."""

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import zip_longest
from types import FrameType
from typing import Literal

import rezsl
from rezsl.cli._help import overview, screen
from rezsl.cli._output import discard_output, end_output, printable_output
from rezsl.cli._records import IMPORTED
from rezsl.cli._screens import SCREENS
from rezsl.errors import ArgumentError, ElsewhereError, RezslError, needs, one_line_of, shortened, suggestion
from rezsl.interruption import end_interrupted, print_error
from rezsl.launchers import check_one_process, started_processes

USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's); return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    with printable_output(), _noting_interruption() as noted:
        try:
            return _reported(arguments, verbose, noted)
        except BrokenPipeError:
            # The program that reads the output, such as head, has ended.
            return 0
        finally:
            discard_output()


@contextmanager
def _noting_interruption() -> Iterator[list[int]]:
    """Inside the block, Ctrl-C also adds to the list, because libraries turn its exception into errors of their own."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _reported(arguments: list[str], verbose: bool, interruptions: list[int]) -> int:
    """Run a command, print its error in one line, and return its exit code; one after Ctrl-C is not its own."""
    try:
        code = _run(arguments)
        end_output()
        return code
    except BrokenPipeError:
        raise
    except (RezslError, OSError) as error:
        if verbose:
            traceback.print_exc()
        if interruptions:
            return end_interrupted()
        number = _process_number()
        # The first process reports that another one has ended; that one has reported the reason.
        if not number or not isinstance(error, ElsewhereError):
            place = f"process {number}: " if number else ""
            print_error(f"rezsl: error: {place}{_one_line(error)}")
        return USER_ERROR
    except KeyboardInterrupt as interruption:
        return end_interrupted(str(interruption))
    except Exception:
        if not interruptions:
            raise
        if verbose:
            traceback.print_exc()
        return end_interrupted()


def _process_number() -> int:
    """Return the number of this process among those that train one model."""
    try:
        started = started_processes()
    except ArgumentError:
        return 0
    return started.number if started is not None else 0


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"rezsl {rezsl.__version__}")
        return 0
    command, rest = _command(arguments)
    wanted_help = _wanted_help(rest)
    if not command:
        print(overview())
        return 0
    if SCREENS[command].is_group or wanted_help == "screen":
        print(screen(command))
        return 0
    if command not in ("fit", "extract"):
        check_one_process(command)
    rest = _with_imports(rest)
    if command == "doctor" and wanted_help != "all":
        from rezsl.cli import doctor  # noqa: PLC0415 - only this command works where packages are missing or broken

        return doctor.run(None, doctor.settings_of(rest))
    with needs("cli", "the command line"):
        # Only the module of the command is imported, because an import takes seconds.
        module = import_module(f"rezsl.cli.{command}".replace(" ", "_").replace("-", "_"))
    options = module.parser()
    if wanted_help == "all":
        print(options.format_help())
        return 0
    from rezsl.cli._errors import naming_options  # noqa: PLC0415 - the screens do without jsonargparse
    from rezsl.cli._options import parse  # noqa: PLC0415 - the same

    with naming_options(options, rest):
        if hasattr(module, "prepare"):
            rest = module.prepare(rest)
        return module.run(options, parse(options, rest)) or 0


def _wanted_help(arguments: Sequence[str]) -> Literal["screen", "all"] | None:
    """Return which help a command line asks for, if any."""
    for word, following in zip_longest(arguments, arguments[1:]):
        if word in ("-h", "--help", "--help=all"):
            return "all" if word == "--help=all" or following == "all" else "screen"
    return None


def _command(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the command that a command line names, such as ``data check``, and the arguments after it.

    The command is empty where the line names none, and a group such as ``data`` where it names no command of it.
    """
    command, rest = "", arguments
    while not command or SCREENS[command].is_group:
        prefix = f"{command} " if command else ""
        names = [name.removeprefix(prefix) for name in SCREENS if name.startswith(prefix)]
        names = [name for name in names if " " not in name]
        if not rest or rest[0] in ("-h", "--help", "--help=all"):
            break
        if rest[0] not in names:
            kind, of = ("sub-command", f" of {command}") if command else ("command", "")
            raise RezslError(f"unknown {kind} {rest[0]!r}{of}{suggestion(rest[0], names)}; {kind}s: {', '.join(names)}")
        command, rest = prefix + rest[0], rest[1:]
    return command, rest


def _with_imports(arguments: list[str]) -> list[str]:
    """Import the modules that ``--import`` names, from the current folder too; return the other arguments."""
    others, words = [], iter(arguments)
    IMPORTED.clear()
    for word in words:
        option, equals, name = word.partition("=")
        if option != "--import":
            others.append(word)
            continue
        name = name if equals else next(words, "")
        folder = os.getcwd()
        if folder not in sys.path:
            sys.path.insert(0, folder)
        try:
            import_module(name)
        except Exception as error:  # a module of the user may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ArgumentError(
                f"--import: expected a module of the current folder, such as models for models.py, got {name!r} "
                f"({reason}); correct the name or the module"
            ) from error
        IMPORTED.add(name)
    return others


def _one_line(error: Exception) -> str:
    """Return the message of an error; that of an error of the operating system says what to do about the file."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        kinds = {
            FileNotFoundError: "no such file or folder; check the path",
            NotADirectoryError: "expected a folder, got a file; choose another place",
            FileExistsError: "expected a folder, got a file; choose another place",
            IsADirectoryError: "expected a file, got a folder; name a file in it",
        }
        remedies = {
            errno.ENAMETOOLONG: "give a shorter name",
            errno.EACCES: "allow it, or choose another place",
            errno.EPERM: "allow it, or choose another place",
            errno.EROFS: "choose another place",
            errno.ENOSPC: "make room, and start again",
            errno.EDQUOT: "make room, and start again",
            errno.EFBIG: "choose a place that takes larger files",
            errno.ELOOP: "remove the link",
        }
        remedy = f"; {remedies[error.errno]}" if error.errno in remedies else ""
        name = shortened(str(error.filename), 200)
        text = f"{name}: {kinds.get(type(error), error.strerror + remedy)}"
    return one_line_of(text)

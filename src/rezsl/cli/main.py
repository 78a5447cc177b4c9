"""The ``rezsl`` command: it finds the chosen command, parses its options, and shows errors in one line."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

from jsonargparse import ArgumentParser

from rezsl.cli._options import COMMANDS, new_parser, parse, suggestion
from rezsl.errors import RezslError

USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's); return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    try:
        return _run(arguments)
    except BrokenPipeError:
        # The program that reads the output, such as head, has ended. Python must not write its last output either.
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
    options = parser = ArgumentParser(
        prog="rezsl",
        description="Attribute-based zero-shot learning: recognise classes without training photos.",
        epilog="rezsl COMMAND --help lists a command's options. --verbose shows the traceback of an error.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    module: Any = None
    depth = 0
    while module is None:  # rezsl data has commands of its own, such as rezsl data check
        command = _add_commands(parser, arguments[:depth], arguments[depth:])
        if command is None:
            if arguments[:1] == ["--version"]:
                print(f"rezsl {version('rezsl')}")
            else:
                parser.print_help()
            return 0
        (module, parser), depth = command, depth + 1
    rest = [_underscored(argument) for argument in arguments[depth:]]
    if hasattr(module, "prepare"):
        rest = module.prepare(rest)
    settings = parse(options, [*arguments[:depth], *rest], parser)
    for name in arguments[:depth]:
        settings = settings[name]
    return module.run(parser, settings) or 0


def _add_commands(options: ArgumentParser, above: list[str], words: list[str]) -> tuple[Any, ArgumentParser] | None:
    """Add commands to a parser, and return the module and the parser of the one that the first word names, if any.

    Only that module is imported, because an import takes seconds; a command with commands of its own has none.
    """
    prefix = "".join(f"{word} " for word in above)
    below = {name.removeprefix(prefix): summary for name, summary in COMMANDS.items() if name.startswith(prefix)}
    commands = [name for name in below if " " not in name]
    name = words[0] if words and words[0] not in ("-h", "--help", "--version") else None
    if name is not None and name not in commands:
        kind, of = ("sub-command", f" of {prefix.strip()}") if prefix else ("command", "")
        raise RezslError(f"unknown {kind} {name!r}{of}{suggestion(name, commands)}; {kind}s: {', '.join(commands)}")
    added = options.add_subcommands(required=False, title="commands", metavar="COMMAND", description=None)
    found = None
    for command in commands:
        module, parser = None, new_parser(f"{prefix}{command}")
        if command == name:
            if not any(other.startswith(f"{command} ") for other in below):
                module = import_module(f"rezsl.cli.{prefix}{command}".replace(" ", "_").replace("-", "_"))
                parser = module.parser()
            found = module, parser
        program, usage = parser.prog, parser.usage
        added.add_subcommand(command, parser, help=below[command])
        parser.prog, parser.usage = program, usage
    return found


def _underscored(argument: str) -> str:
    """Return ``--run_dir`` for ``--run-dir``; values stay as they are."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())

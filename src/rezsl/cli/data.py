"""``rezsl data`` has commands of its own, each in a module beside this one, such as data_check."""

from jsonargparse import ArgumentParser

from rezsl.cli._options import DATA_COMMANDS as SUBCOMMANDS
from rezsl.cli._options import new_parser

__all__ = ["SUBCOMMANDS", "parser"]


def parser() -> ArgumentParser:
    """Return the parser, to which the commands are added."""
    return new_parser("data")

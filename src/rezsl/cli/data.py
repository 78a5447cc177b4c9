"""``rezsl data``: check a data set, and split one's own images; each sub-command is a module beside this one."""

from jsonargparse import ArgumentParser

from rezsl.cli.options import new_parser

SUMMARY = "check a data set, or split one's own images"
COMMANDS = {
    "check": "list what a data set's directory holds and what is missing",
    "make-splits": "choose unseen classes, validation classes and test images of one's own folder",
}


def parser() -> ArgumentParser:
    """Return the parser, to which the sub-commands are added."""
    return new_parser("data", SUMMARY)

"""``rezsl semantics read`` reads the table in the reply of a language model."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._options import show
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import INCOMPLETE
from rezsl.cli._table_files import read_names, table_output, write_table
from rezsl.semantics import read_reply


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("semantics read")
    options.add_argument("reply", type=Path, metavar="REPLY")
    options.add_argument("classes", type=Path, metavar="CLASSES")
    options.add_argument("attributes", type=Path, metavar="ATTRIBUTES")
    options.add_argument("-o", "--output", type=Path | None, default=None)
    options.add_argument("--author", type=str, default="a language model")
    options.add_argument("--unseen", type=str, nargs="+", default=[])
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Write the table and print what is missing and what the doctor finds; return 1 if something is missing."""
    output = table_output(settings.output, settings.reply, settings.classes, settings.attributes)
    classes, attributes = read_names(settings.classes, "classes"), read_names(settings.attributes, "attributes")
    found = read_reply(settings.reply, classes, attributes, settings.author)
    for problem in found.problems:
        show(f"{settings.reply}: {problem}")
    write_table(found.semantics, output, settings.unseen)
    return INCOMPLETE if found.missing_classes or found.missing_attributes else 0

"""``rezsl semantics describe`` turns a text on each class into its class semantics."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._parser import new_parser
from rezsl.cli._table_files import read_descriptions, table_output, write_table
from rezsl.errors import renamed
from rezsl.semantics import describe_classes


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("semantics describe")
    options.add_argument("descriptions", type=Path, metavar="DESCRIPTIONS")
    options.add_argument("-o", "--output", type=Path | None, default=None)
    options.add_argument("--text_encoder", type=str, required=True)
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Write the table."""
    output = table_output(settings.output, settings.descriptions)
    descriptions = read_descriptions(settings.descriptions)
    with renamed(source="text_encoder"):
        table = describe_classes(descriptions, settings.text_encoder)
    write_table(table, output)
    return 0

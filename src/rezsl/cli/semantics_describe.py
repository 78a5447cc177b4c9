"""``rezsl semantics describe`` turns a text on each class into its class semantics."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._parser import new_parser
from rezsl.cli._table_files import check_table_output, read_descriptions, write_table
from rezsl.semantics import describe_classes


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("semantics describe")
    options.add_argument("descriptions", type=Path, metavar="DESCRIPTIONS")
    options.add_argument("-o", "--output", type=Path, required=True)
    options.add_argument("--text_encoder", type=str, required=True)
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Write the table."""
    check_table_output(settings.output, settings.descriptions)
    write_table(describe_classes(read_descriptions(settings.descriptions), settings.text_encoder), settings.output)
    return 0

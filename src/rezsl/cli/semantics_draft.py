"""``rezsl semantics draft`` drafts a table from the names of classes and attributes."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._parser import new_parser
from rezsl.cli._table_files import read_names, table_output, write_table
from rezsl.errors import ArgumentError, renamed
from rezsl.semantics import ClassSemantics, draft_semantics


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("semantics draft")
    options.add_argument("classes", type=Path, metavar="CLASSES")
    options.add_argument("attributes", type=Path | None, nargs="?", default=None, metavar="ATTRIBUTES")
    options.add_argument("-o", "--output", type=Path | None, default=None)
    options.add_argument("--text_encoder", type=str | None, default=None)
    options.add_argument("--word_vectors", type=Path | None, default=None)
    options.add_argument("--kind", type=str, default="thing")
    options.add_argument("--known", type=Path | None, default=None)
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Write the table and print what the doctor finds."""
    read = [settings.attributes, settings.word_vectors, settings.known]
    output = table_output(settings.output, settings.classes, *read)
    if (settings.attributes is None) == (settings.known is None):
        raise ArgumentError("attributes: expected a file of names or --known, one of the two")
    classes = read_names(settings.classes, "classes")
    attributes = [] if settings.attributes is None else read_names(settings.attributes, "attributes")
    known = None if settings.known is None else ClassSemantics.from_csv(settings.known, known_classes=classes)
    with renamed(source="text_encoder"):
        table = draft_semantics(classes, attributes, settings.text_encoder, settings.word_vectors, settings.kind, known)
    unseen = () if known is None else [name for name in table.classes if name not in known.classes]
    write_table(table, output, unseen)
    return 0

"""``rezsl semantics prompt`` writes a text that asks any language model for a table."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._options import check_output_file, show
from rezsl.cli._parser import new_parser
from rezsl.cli._table_files import read_names
from rezsl.semantics import ClassSemantics, semantics_prompt
from rezsl.writing import write_atomically


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("semantics prompt")
    options.add_argument("classes", type=Path, metavar="CLASSES")
    options.add_argument("attributes", type=Path, metavar="ATTRIBUTES")
    options.add_argument("-o", "--output", type=Path | None, default=None)
    options.add_argument("--kind", type=str, default="things")
    options.add_argument("--examples", type=Path | None, default=None)
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Print the prompt, or write it to a file."""
    classes, attributes = read_names(settings.classes, "classes"), read_names(settings.attributes, "attributes")
    examples = None if settings.examples is None else ClassSemantics.from_csv(settings.examples, known_classes=classes)
    text = semantics_prompt(classes, attributes, settings.kind, examples)
    if settings.output is None:
        print(text, end="")
        return 0
    check_output_file(settings.output, "prompt.txt", settings.classes, settings.attributes, settings.examples)
    write_atomically(settings.output, text)
    show(f"wrote {settings.output}: {len(classes)} classes × {len(attributes)} attributes")
    return 0

"""``rezsl export``: write a trained model as one file for other programs."""

from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import load_model, model_of_images
from rezsl.cli._config import store_of_run
from rezsl.cli._options import check_ending, check_output_file, show
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import local_run
from rezsl.cli.predict import reading_images
from rezsl.errors import renamed
from rezsl.export import Exported, ExportFormat, Quantization, export_model
from rezsl.files import folder_name
from rezsl.play import save_page

Format = Literal[ExportFormat, "html"]

ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "html": ".html"}


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("export")
    options.add_argument("run", type=Path, metavar="RUN")
    options.add_argument("--revision", type=str | None, default=None)
    options.add_argument("-o", "--output", type=Path | None, default=None)
    options.add_argument("--format", type=Format | None, default=None)
    options.add_argument("--quantize", type=Quantization, default="none")
    options.add_argument("--runtime", type=Path | None, default=None)
    options.add_argument("--gamma", type=float | None, default=None)
    options.add_argument("--store", type=Path | None, default=None)
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Write the file, and print what it reads and how well it agrees with the run."""
    form = settings.format or _format_of(settings.output)
    output = settings.output or Path(folder_name(settings.run) + ENDINGS[form])
    settings.run = local_run(settings.run, settings.revision)
    read = (settings.run, settings.store, settings.runtime, store_of_run(settings.run))
    check_output_file(output, f"signs{ENDINGS[form]}", *read)
    check_ending(output, *([ENDINGS[form]] if settings.format else ENDINGS.values()))
    model = load_model(settings.run)
    if settings.store is not None:
        model = model_of_images(model, settings.store)
    else:
        model = reading_images(model, settings.run, "give a store of that backbone with --store")
    if settings.gamma is not None:
        model.gamma = settings.gamma
    if form == "html":
        with renamed(model=str(settings.run), runtime="--runtime"):
            page = save_page(model, output, folder_name(settings.run), settings.quantize, settings.runtime)
        show(
            f"written to {page.path} ({page.bytes / 1e6:.1f} MB)",
            "open it in a browser: it needs no server",
        )
        return
    show(*_lines(export_model(model, output, form, settings.quantize)))


def _format_of(output: Path | None) -> Format:
    """Return the format that the name of a file asks for; ONNX where it asks for none."""
    return next((form for form, ending in ENDINGS.items() if output and output.suffix.lower() == ending), "onnx")


def _lines(exported: Exported) -> list[str]:
    facts, form = exported.facts, exported.facts["preprocessing"]
    reads = "rows of features" if form is None else "decoded photos of any size, RGB of 8 bits [N, height, width, 3]"
    return [
        f"written to {exported.path} ({exported.bytes / 1e6:.1f} MB)",
        f"reads {reads}, and a table of classes: by default its own, "
        f"{len(facts['classes'])} classes × {len(facts['attributes'])} attributes",
        f"its probabilities differ from those of the run by at most {exported.difference:.2g}, for random inputs"
        if exported.difference
        else "its probabilities are equal to those of the run, for random inputs",
    ]

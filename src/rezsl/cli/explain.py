"""``rezsl explain``: draw why an image got its class."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import explain
from rezsl.cli._options import check_output_file, show
from rezsl.cli._parser import new_parser
from rezsl.cli.predict import add_model_options, load_for
from rezsl.data import FEATURE_SUFFIXES, read_feature_rows
from rezsl.errors import ArgumentError
from rezsl.report import save_explanation


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("explain")
    add_model_options(options)
    options.add_argument("input", type=Path, metavar="IMAGE")
    options.add_argument("--row", type=int, default=0)
    options.add_argument("--semantics", type=list[str], default=[])
    options.add_argument("--top", type=int, default=7)
    options.add_argument("-o", "--output", type=Path | None, default=None)
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Write the plot, and print the two best classes."""
    output = settings.output or Path(f"{settings.input.stem}-explained.png")
    check_output_file(output, "explained.png")
    is_features = settings.input.suffix in FEATURE_SUFFIXES
    inputs = read_feature_rows(settings.input) if is_features else [settings.input]
    if not 0 <= settings.row < len(inputs):
        raise ArgumentError(
            f"--row: expected a row of {settings.input}, from 0 to {len(inputs) - 1}, got {settings.row}"
        )
    model, candidates = load_for(settings, images=not is_features)
    explanation = explain(model, inputs, settings.row, candidates)
    save_explanation(explanation, output, settings.semantics, settings.top, settings.input.name)
    winner, runner_up = explanation.winner, explanation.runner_up
    show(
        f"{settings.input}: {winner.name} ({100 * winner.probability:.0f} %), then {runner_up.name} "
        f"({100 * runner_up.probability:.0f} %)",
        f"written to {output}",
    )

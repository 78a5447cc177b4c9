"""``rezsl explain``: draw why an image got its class."""

import math
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import WEAK, Explanation, MapKind, explain
from rezsl.cli._answers import FAR
from rezsl.cli._config import store_of_run
from rezsl.cli._options import check_output_file, print_json, show
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import check_photo, local_run
from rezsl.cli.predict import add_model_options, load_for
from rezsl.data import is_feature_file, read_feature_rows
from rezsl.errors import ArgumentError, printable, renamed
from rezsl.report import map_note, save_explanation

ENDINGS = (".png", ".pdf", ".svg")
"""Those of the pictures that the help names."""


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("explain")
    add_model_options(options)
    options.add_argument("input", type=Path, metavar="IMAGE")
    options.add_argument("--row", type=int, default=0)
    options.add_argument("--semantics", type=list[str], default=[])
    options.add_argument("--top", type=int, default=7)
    options.add_argument("--map", type=MapKind, default="gradient")
    options.add_argument("--format", type=Literal["text", "json"], default="text")
    options.add_argument("-o", "--output", type=Path | None, default=None)
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Write the plot, and print the two best classes."""
    settings.run = local_run(settings.run, settings.revision, [settings.input])
    check_photo(settings.input)
    output = settings.output or Path(f"{settings.input.stem}-explained.png")
    read = (settings.input, settings.run, settings.classes, settings.store, store_of_run(settings.run))
    check_output_file(output, f"explained{output.suffix if output.suffix in ENDINGS else ENDINGS[0]}", *read)
    is_features = is_feature_file(settings.input)
    inputs = read_feature_rows(settings.input) if is_features else [settings.input]
    if not 0 <= settings.row < len(inputs):
        raise ArgumentError(
            f"--row: expected a row of {settings.input}, from 0 to {len(inputs) - 1}, got {settings.row}"
        )
    model, candidates = load_for(settings, images=not is_features)
    with renamed(kind="map", path="output"):
        explanation = explain(model, inputs, settings.row, candidates, settings.map, settings.semantics, settings.top)
        save_explanation(explanation, output, printable(settings.input.name))
    if settings.format == "json":
        content = {"input": str(settings.input), **explanation.to_json(), "picture": str(output)}
        print_json(content)
    else:
        show(*_lines(explanation, settings.top, str(settings.input)), f"written to {output}")


def _lines(explanation: Explanation, top: int, name: str) -> list[str]:
    """Return the two best classes, the attributes that speak for the best one, and a note about the maps."""
    winner, runner_up = explanation.winner, explanation.runner_up
    refused = f"{FAR}, so predict names no class; the nearest are " if explanation.far else ""
    lines = [
        f"{name}: {refused}{winner.name} ({100 * winner.probability:.0f} %), then {runner_up.name} "
        f"({100 * runner_up.probability:.0f} %)",
        *_sums(explanation),
    ]
    any_weak = False
    for found, reason in ((True, "found in the image"), (False, "rightly absent from it")):
        if strongest := explanation.in_favour(found)[:top]:
            lines += [f"speaks for {winner.name}, {reason} (share of its score):"]
            for row in strongest:
                weak = bool(explanation.weak[row])
                weakly, any_weak = " (weakly)" if weak else "", any_weak or weak
                lines += [f"  {float(explanation.share[row]):+.2f}  {explanation.attributes[row]}{weakly}"]
    if any_weak:
        lines += [f"weakly: found with less than {100 * WEAK:.0f} % of the value that {winner.name} has"]
    note = map_note(explanation)
    return [*lines, note[:1].upper() + note[1:]] if note else lines


def _sums(explanation: Explanation) -> list[str]:
    """Return how the winner's score and lead come about, and how strange the input is, in one sentence each."""
    winner, runner_up = explanation.winner, explanation.runner_up
    of_attributes, lead = float(explanation.share.sum()), winner.score - runner_up.score
    why = "as it has training images" if winner.seen else "as it has no training images"
    lines = [
        f"score of {winner.name}: {winner.score:.2f}, of which attributes make {of_attributes:+.2f} and "
        f"γ {explanation.of_gamma:+.2f}, {why}",
        f"ahead of {runner_up.name} by {lead:.2f}, of which γ makes {explanation.calibration:+.2f}",
    ]
    if not math.isnan(explanation.strangeness):
        lines.append(f"strangeness {explanation.strangeness:+.2f}: an image above 0 is {FAR}")
    return lines

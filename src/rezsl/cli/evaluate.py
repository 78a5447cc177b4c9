"""``rezsl evaluate``: score a saved model on test images."""

import json
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from rezsl.bundle import load_model
from rezsl.cli import choices
from rezsl.cli.options import instantiate, new_parser, parse
from rezsl.data import Benchmark
from rezsl.errors import DataError, RezslError
from rezsl.evaluation import evaluate
from rezsl.report import results_table

SUMMARY = "score a trained model on the test images of its own or another benchmark"


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("evaluate", SUMMARY)
    options.add_argument("run", type=Path, help="run directory of a trained model")
    options.add_argument(
        "--data", type=Benchmark | None, default=None, help="another benchmark (default: the run's own)"
    )
    options.add_argument("--format", type=Literal["table", "json"], default="table", help="how to print the figures")
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Print the figures; nothing is written."""
    model = load_model(settings.run)
    if settings.data is None:
        settings["data"] = _own_data(options, settings.run)
    data = instantiate(options, settings).data
    result = evaluate(model, data)
    if settings.format == "json":
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        Console().print(results_table({data.name: result}, str(settings.run)))


def _own_data(options: ArgumentParser, directory: Path) -> Namespace:
    """The ``data`` entry of the run's own config.yaml; people edit that file, so anything may stand there."""
    import yaml  # noqa: PLC0415 - comes with jsonargparse

    config = directory / "config.yaml"
    if not config.exists():
        raise DataError(f"{config}: no such file, so the run does not say what it was trained on; name it with --data")
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else "not text"
        raise DataError(
            f"{config}: expected YAML ({where}); mend the file, or name the benchmark with --data"
        ) from error
    data = content.get("data") if isinstance(content, dict) else None
    if data is None:
        raise DataError(
            f"{config}: expected an entry 'data', got none, so the run does not say what it was trained on; "
            f"name it with --data"
        )
    try:
        parsed: Namespace = parse(options, [str(directory), f"--data={json.dumps(data, default=str)}"]).data
    except RezslError as error:
        raise DataError(
            f"{config}: data: expected a benchmark and its options, as rezsl fit writes them, got {str(data)[:200]}; "
            f"mend the file, or name the benchmark with --data"
        ) from error
    return parsed


__all__ = ["SUMMARY", "choices", "parser", "run"]

"""The benchmark that a run was trained on, from its own record."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli.options import parse
from rezsl.errors import DataError, RezslError
from rezsl.files import read_yaml


def own_data(options: ArgumentParser, directory: Path) -> Namespace:
    """The ``data`` entry of the run's own config.yaml, as options that parse a directory and ``--data`` read it.

    People edit that file, so anything may stand there.

    Raises:
        DataError: the file is missing or damaged, or names no benchmark.
    """
    config = directory / "config.yaml"
    if not config.exists():
        raise DataError(f"{config}: no such file, so the run does not say what it was trained on; name it with --data")
    content = read_yaml(config, DataError, "correct the file, or name the benchmark with --data")
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

"""The benchmark that a run was trained on, from its own record."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli.options import parse
from rezsl.errors import DataError, RezslError


def own_data(options: ArgumentParser, directory: Path) -> Namespace:
    """The ``data`` entry of the run's own config.yaml, as options that parse a directory and ``--data`` read it.

    People edit that file, so anything may stand there.

    Raises:
        DataError: the file is missing or damaged, or names no benchmark.
    """
    import yaml  # noqa: PLC0415 - comes with jsonargparse

    config = directory / "config.yaml"
    if not config.exists():
        raise DataError(f"{config}: no such file, so the run does not say what it was trained on; name it with --data")
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{config}: cannot be read ({error.strerror}); name the benchmark with --data") from error
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

"""Files of options: those that ``--config`` names, and the config.yaml of a run."""

import json
import os
import re
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined] # ActionConfigFile is public, but not in its __all__
    ActionConfigFile,
    ArgumentParser,
    Namespace,
)

from rezsl.cli._options import parse
from rezsl.cli._records import check_record
from rezsl.errors import ArgumentError, DataError, RezslError
from rezsl.files import local_path, read_yaml
from rezsl.regions import cache_beside, user_cache
from rezsl.sources import asks_network


class ConfigFile(ActionConfigFile):
    """The option ``--config``: a YAML file of options, or the options themselves as YAML."""

    @staticmethod
    def apply_config(parser: ArgumentParser, cfg: Namespace, dest: str, value: str) -> None:
        """Add a file's options, those of the files it is laid over included; see :func:`read_options`."""
        # A value that names no file may be the options themselves, or is refused as a file that does not exist.
        file = local_path(value)
        if not os.path.exists(file):
            ActionConfigFile.apply_config(parser, cfg, dest, value)
            return
        content = json.dumps(read_options(file), default=str, ensure_ascii=False)
        ActionConfigFile.apply_config(parser, cfg, dest, content)
        cfg[dest][-1] = file


def read_options(path: Path) -> dict[str, Any]:
    """Read a YAML file of options, laid over the file that its entry ``base`` names, if it has one.

    A base is named relative to the file's own folder, and may have a base. See :func:`rezsl.experiments.plan.merged`.
    """
    from rezsl.experiments.plan import merged  # noqa: PLC0415 - a second of import that rezsl predict does without

    return reduce(merged, reversed(_layers(path).values()))


def files_of_options(path: Path) -> list[Path]:
    """Return a YAML file of options and those that it is laid over."""
    return [*_layers(path)]


def _layers(path: Path) -> dict[Path, dict[str, Any]]:
    """Return the options in a file, and in those that it is laid over, each without its base."""
    layers: dict[Path, dict[str, Any]] = {}
    while True:
        content = read_yaml(path, ArgumentError)
        if not isinstance(content, dict):
            got = "nothing" if content is None else f"{str(content)[:80]!r}"
            raise ArgumentError(f"{path}: expected options, one a line such as 'seed: 1', got {got}; correct the file")
        layers[path] = content
        if "base" not in content:
            return layers
        base = content.pop("base")
        if not isinstance(base, str):
            raise ArgumentError(
                f"{path}: base: expected the name of a YAML file, such as base.yaml, got {base!r}; correct it"
            )
        below = path.parent / local_path(base)
        if not below.is_file():
            raise ArgumentError(f"{path}: base: expected a file, but there is no {below}; name it relative to {path}")
        if any(below.samefile(file) for file in layers):
            raise ArgumentError(
                f"{path}: base: expected another file, got {base}, which is laid over this one; remove it"
            )
        path = below


def add_data(options: ArgumentParser) -> None:
    """Add ``--data``, and ``--data-root`` for the benchmark of the run, see :func:`prepared`."""
    from rezsl.cli.choices import Benchmark  # noqa: PLC0415 - seconds of import that rezsl predict does without

    options.add_argument("--data", type=Benchmark | None, default=None)
    options.add_argument("--data_root", type=Path | None, default=None)


def prepared(arguments: list[str]) -> list[str]:
    """Return a command line on which ``--data.root`` may stand without ``--data``: it replaces that of the run."""
    if any(word.partition("=")[0] == "--data" for word in arguments):
        return arguments
    return [re.sub(r"^--data\.root(?==|$)", "--data_root", word) for word in arguments]


def with_data(options: ArgumentParser, settings: Namespace, run: Path) -> Namespace:
    """Return the settings with the benchmark that the config.yaml of a run names, unless they name another one.

    Raises:
        DataError: the file names none that can be used, or a directory that does not exist.
    """
    result: Namespace = settings.clone()
    if result.data is None:
        data = _data_entry(run)
        check_record({"data": data}, run / "config.yaml")
        try:  # users edit the file, so it may hold anything
            result["data"] = parse(
                options, [str(run), f"--data={json.dumps(data, default=str, ensure_ascii=False)}"]
            ).data
        except RezslError as error:
            raise DataError(
                f"{run / 'config.yaml'}: data: expected a benchmark and its options, as rezsl fit writes them, got "
                f"{str(data)[:200]}; correct the file, or name the benchmark with --data"
            ) from error
        _place(result, run)
    return result


def _place(settings: Namespace, run: Path) -> None:
    """Put ``--data.root`` into the benchmark of a run, and refuse a directory that is not there."""
    of_data = settings.data.get("init_args") or {}
    if "root" not in of_data:
        return
    if settings.data_root is not None:
        of_data["root"] = str(settings.data_root)
    else:
        check_root({"data": settings.data}, run / "config.yaml")


def check_root(content: Mapping[str, Any] | Namespace, config: Path) -> None:
    """Refuse a file of options whose directory of data is not there, as after a change of the current folder.

    Other entries are checked when they are parsed.
    """
    try:
        given = content["data"]["init_args"]["root"]
        root = local_path(given)
    except (KeyError, TypeError):
        return
    if asks_network(str(given)):
        raise DataError(
            f"{config}: data.root: expected a folder of this machine, got the address {given}; if you trust it, give "
            f"it with --data.root"
        )
    if not root.is_dir():
        where = "" if root.is_absolute() else f" in {Path.cwd()}, to which this path is relative"
        raise DataError(
            f"{config}: data.root: expected the folder of the run's data, got {root}, and there is none{where}; give "
            f"its place with --data.root"
        )


def store_of_run(run: Path) -> Path | None:
    """Return the directory of data that a run's config.yaml names; None where there is no such file or entry."""
    try:
        root = _data_entry(run)["init_args"]["root"]
        return None if asks_network(str(root)) else Path(root)
    except (DataError, KeyError, TypeError):
        return None


def caches_of_run(run: Path) -> list[Path]:
    """Return the directories in which the regions of a run's photos may be: that of its ``--cache`` first."""
    try:
        named = [Path(cache)] if (cache := _entry(run, "cache")) and not asks_network(str(cache)) else []
    except (DataError, TypeError):
        named = []
    return [*named, cache_beside(run), user_cache()]


def _data_entry(run: Path) -> Any:
    config, data = run / "config.yaml", _entry(run, "data")
    if data is None:
        raise DataError(f"{config}: expected an entry 'data', got none; name the benchmark of the run with --data")
    return data


def _entry(run: Path, name: str) -> Any:
    """Return an entry of the config.yaml of a run; None where it has none."""
    config = run / "config.yaml"
    if not config.exists():
        raise DataError(
            f"{config}: expected the options of the run, got no such file; name its benchmark with --data, such "
            f"as --data folder --data.root signs"
        )
    content = read_yaml(config, DataError, "correct the file, or name the benchmark with --data")
    return content.get(name) if isinstance(content, dict) else None

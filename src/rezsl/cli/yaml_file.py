"""Reading a YAML file, with errors that name it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import (  # type: ignore[attr-defined] # ActionConfigFile is public, but not in its __all__
    ActionConfigFile,
    ArgumentParser,
    Namespace,
)

from rezsl.errors import ArgumentError
from rezsl.experiments.plan import merged


class _Loader(yaml.SafeLoader):
    """Plain YAML that takes ``1e-4`` for a number, as the options of ``rezsl fit`` do, and no key twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in result:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands here twice", key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


class ConfigFile(ActionConfigFile):
    """The option ``--config``: a YAML file of options, or the options themselves as YAML."""

    @staticmethod
    def apply_config(parser: ArgumentParser, cfg: Namespace, dest: str, value: str) -> None:
        """Add a file's options, those of the files it is laid over included; see :func:`read_options`."""
        # A value that names no file may be the options themselves, or is refused as a file that does not exist.
        content = json.dumps(read_options(Path(value)), default=str) if os.path.exists(value) else value
        ActionConfigFile.apply_config(parser, cfg, dest, content)


def read_options(path: Path, over: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a YAML file of options, laid over the file that its entry ``base`` names, if it has one.

    Mappings are merged entry by entry, and everything else replaces what the base has; see
    :func:`rezsl.experiments.plan.merged`. A base is named relative to the file's own folder, and may have a base.

    Args:
        path: the file.
        over: the files that are laid over this one.

    Raises:
        ArgumentError: a file cannot be read, is no YAML, holds no options, or is laid over itself.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        got = "nothing" if content is None else f"{str(content)[:80]!r}"
        raise ArgumentError(f"{path}: expected options, one a line such as 'seed: 1', got {got}")
    if "base" not in content:
        return content
    base = content.pop("base")
    if not isinstance(base, str):
        raise ArgumentError(f"{path}: base: expected the name of a YAML file, such as base.yaml, got {base!r}")
    below, chain = path.parent / base, (*over, path)
    if not below.is_file():
        raise ArgumentError(f"{path}: base: expected a file, but there is no {below}; name it relative to {path}")
    if any(below.samefile(file) for file in chain):
        raise ArgumentError(f"{path}: base: expected another file, got {base}, which is laid over this one; remove it")
    return merged(read_options(below, chain), content)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        ArgumentError: it cannot be read, or is no YAML; the message names the file and the line.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be read ({error.strerror}); expected a YAML file") from error
    except UnicodeDecodeError as error:
        raise ArgumentError(f"{path}: expected YAML (not text); mend the file") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise ArgumentError(f"{path}: expected YAML ({line}{error.problem}); mend the file") from error
    except yaml.YAMLError as error:
        raise ArgumentError(f"{path}: expected YAML ({error}); mend the file") from error

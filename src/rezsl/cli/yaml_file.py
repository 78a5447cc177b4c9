"""Reading a YAML file, with errors that name it."""

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from rezsl.errors import ArgumentError


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


def check_configs(arguments: Sequence[str]) -> None:
    """See that every file after ``--config`` holds options; the parser of options would not name the file.

    Raises:
        ArgumentError: one cannot be read, is no YAML, or holds something else.
    """
    joined = [argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")]
    apart = [value for name, value in pairwise(arguments) if name == "--config"]
    # What is no file may be the options themselves, or is refused as one that does not exist.
    for path in (Path(value) for value in joined + apart if os.path.exists(value)):
        content = read_yaml(path)
        if not isinstance(content, dict):
            got = "nothing" if content is None else f"{str(content)[:80]!r}"
            raise ArgumentError(f"{path}: expected options, one a line such as 'seed: 1', got {got}")


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

"""Reading a YAML file, with errors that name it."""

import re
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

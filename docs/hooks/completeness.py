"""The build ends with an error if a public class or function is missing on the page of its package."""

import importlib
from pathlib import Path
from types import FunctionType
from typing import Any

from mkdocs.exceptions import PluginError

import rezsl


def on_post_build(config: Any, **_: Any) -> None:
    """Search the page for an anchor of each public class and function."""
    for package in (*rezsl._ROOMS, "report"):
        module = importlib.import_module(f"rezsl.{package}")
        html = (Path(config.site_dir) / "api" / f"{package}.html").read_text(encoding="utf-8")
        for name in module.__all__:
            # A function in a module of its own name has an anchor with both names.
            anchors = (f"rezsl.{package}.{name}", f"rezsl.{package}.{name}.{name}")
            if isinstance(getattr(module, name), (type, FunctionType)) and not any(
                f'id="{anchor}"' in html for anchor in anchors
            ):
                raise PluginError(f"docs/api/{package}.md: {anchors[0]} is public and is missing on this page; add it")

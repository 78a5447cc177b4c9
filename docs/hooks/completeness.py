"""The build ends with an error if a public class or function has no place on its room's page."""

import importlib
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOMS = (
    "analysis", "backbones", "data", "estimators", "functional", "losses", "metrics", "models", "report",
    "training", "words",
)  # fmt: skip


def on_post_build(config: Any, **_: Any) -> None:
    """Look for an anchor of each name; constants need none."""
    for room in ROOMS:
        module = importlib.import_module(f"rezsl.{room}")
        html = (Path(config.site_dir) / "api" / f"{room.partition('.')[0]}.html").read_text(encoding="utf-8")
        for name in module.__all__:
            # A function in a module of its own name is only found by both.
            places = (f"rezsl.{room}.{name}", f"rezsl.{room}.{name}.{name}")
            if callable(getattr(module, name)) and not any(f'id="{place}"' in html for place in places):
                raise PluginError(f"docs/api/{room.partition('.')[0]}.md: {places[0]} is public and has no place there")

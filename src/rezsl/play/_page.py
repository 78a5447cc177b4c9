"""The page of the playground as one HTML file, and the description of the model in it."""

import base64
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import ImageFormat
from rezsl.errors import needs
from rezsl.report import family_style, source_of
from rezsl.semantics import NO, UNKNOWN, YES, ClassSemantics

TEMPLATES = Path(__file__).parent / "templates"

Engine = Literal["server", "browser"]

MODULES = ("elements", "table", "pasted", "picture", "answer", "editor", "main")
"""The JavaScript of the page below its engine, each file after those that it imports."""

GROUP_MARK = "::"
"""What separates an attribute's group from its name where a table, such as that of CUB, has no column of groups."""


def describe(model: ZeroShotClassifier, table: ClassSemantics, title: str, map_kinds: Sequence[str]) -> dict[str, Any]:
    """Return what the page shows of a model and its table, as values of JSON.

    The values of the table are the bytes of float32 numbers, little-endian, in base64.
    """
    seen, values = set(model.seen_classes), table.values.cpu().numpy().astype("<f4")
    return {
        "title": title,
        "classes": table.classes,
        "seen": [name in seen for name in table.classes],
        "attributes": table.attributes,
        "groups": _groups(table),
        "values": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
        "size": model.input_format.size if isinstance(model.input_format, ImageFormat) else 0,
        "map_kinds": list(map_kinds),
        "gamma": model.gamma,
        "has_reasons": model.network.scores_are_cosines,
        "has_limit": model.familiarity is not None,
        "words": {"yes": YES, "no": NO, "unknown": UNKNOWN},
    }


def _groups(table: ClassSemantics) -> Sequence[str] | None:
    """Return the group of each attribute: the table's own, or what stands before ``::`` in all names."""
    if table.groups is not None:
        return table.groups
    parts = [name.partition(GROUP_MARK) for name in table.attributes]
    return [group for group, mark, _ in parts] if all(mark for _, mark, _ in parts) else None


def render_page(description: dict[str, Any], engine: Engine, connects: str = "'self'", more: str = "") -> str:
    """Return the page as one HTML text, whose policy allows its own script and style alone.

    Args:
        description: see :func:`describe`.
        engine: what recognises photos: a server, or this browser.
        connects: where the page may send requests, as its Content-Security-Policy has it.
        more: further elements that the engine reads.
    """
    with needs("play", "the page"):
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only pages need it

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False, "separators": (",", ":")}
    script = _script([f"engine_{engine}", *MODULES])
    style = family_style() + (TEMPLATES / "style.css").read_text("utf-8")
    policy = {
        "default-src": "'none'",
        "img-src": "data: blob:",
        "style-src": source_of(style),
        "script-src": source_of(script) + (" blob: 'wasm-unsafe-eval'" if engine == "browser" else ""),
        "connect-src": connects,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    template = environment.from_string((TEMPLATES / "page.html").read_text("utf-8"))
    return template.render(
        description=description,
        policy="; ".join(f"{name} {value}" for name, value in policy.items()),
        style=style,
        script=script,
        more=more,
        version=version("rezsl"),
        engine=engine,
    )


def _script(names: Sequence[str]) -> str:
    """Join modules to one: their imports of each other and their exports are left out, and all share one scope."""
    text = "\n".join((TEMPLATES / f"{name}.js").read_text("utf-8") for name in names)
    text = re.sub(r"^import \{[^}]*\} from \"\./\w+\.js\";\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?=const |class |function |async function )", "", text, flags=re.MULTILINE)

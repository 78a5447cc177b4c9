"""The page on the command line: what each command says of itself, as it is built."""

import os
from importlib import import_module
from typing import Any

PAGE = "api/command-line.md"
WIDTH = "110"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add a section per command."""
    if page.file.src_uri != PAGE:
        return markdown
    os.environ["COLUMNS"] = WIDTH
    sections = (f"## rezsl {name}\n\n```text\n{_help(module)}\n```\n" for name, module in _commands())
    return markdown + "\n".join(sections)


def _commands() -> list[tuple[str, str]]:
    from rezsl.cli.data import COMMANDS as OF_DATA  # noqa: PLC0415 - a second of imports for one page
    from rezsl.cli.main import COMMANDS  # noqa: PLC0415 - the same

    whole = [(name, name) for name in COMMANDS if name != "data"]
    return whole + [(f"data {name}", f"data_{name.replace('-', '_')}") for name in OF_DATA]


def _help(module: str) -> str:
    return str(import_module(f"rezsl.cli.{module}").parser().format_help()).strip()

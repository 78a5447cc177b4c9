"""Add the help text of every command to the page on the command line while the site is built."""

import json
import subprocess
import sys
from typing import Any

PAGE = "api/command-line.md"
# The help is made in a process of its own, because it lists every class that is loaded, and a build loads them all.
ASK = """
import json
from importlib import import_module
from rezsl.cli._screens import SCREENS

modules = {name: name.replace(" ", "_").replace("-", "_") for name, entry in SCREENS.items() if not entry.is_group}
parsers = {name: import_module(f"rezsl.cli.{module}").parser() for name, module in modules.items()}
print(json.dumps({name: parser.format_help() for name, parser in parsers.items()}))
"""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add a section per command."""
    if page.file.src_uri != PAGE:
        return markdown
    answer = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True)
    helps: dict[str, str] = json.loads(answer.stdout)
    return markdown + "\n".join(f"## rezsl {name}\n\n```text\n{text}\n```\n" for name, text in helps.items())

"""The code blocks of a Markdown page in order, each with the reason not to run it, if there is one."""

import re
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^>]*?) -->\n+)?```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
NOT_RUN = "not run: "


class CodeBlock(NamedTuple):
    """One fenced block.

    Attributes:
        language: the word behind the fence.
        code: its lines.
        line: the line of the page on which the code begins.
        reason: why a test cannot run it (a comment above it, ``<!-- not run: reason -->``); empty if it can.
    """

    language: str
    code: str
    line: int
    reason: str


def code_blocks(page: Path) -> list[CodeBlock]:
    """Return every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for found in BLOCK.finditer(text):
        note = found["note"] or ""
        reason = note.removeprefix(NOT_RUN) if note.startswith(NOT_RUN) else ""
        blocks.append(CodeBlock(found["language"], found["code"], text.count("\n", 0, found.start("code")) + 1, reason))
    return blocks


def command_lines(code: str) -> list[str]:
    """Return the command lines of a shell block: continued lines are joined, and comments are left out."""
    joined = re.sub(r"\\\n\s*", "", code)
    return [line for line in (re.sub(r"(^|\s)# .*$|^#.*$", "", raw).strip() for raw in joined.splitlines()) if line]

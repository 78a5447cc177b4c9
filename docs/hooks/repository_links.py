"""Replace links to files that are in the repository but not on the site by the name of the file."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!how-to/|api/|[\w-]+\.md)([^)#]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace such links by their text."""
    return OUTSIDE.sub(r"\1", markdown)

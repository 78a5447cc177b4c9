"""Links to files of the repository that are no pages: a reader of the forge can follow them, the site names them."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!how-to/|api/|[\w-]+\.md)([^)#]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace such links by their text."""
    return OUTSIDE.sub(r"\1", markdown)

"""Names that were probably meant to be the same: spellings that differ in case, spaces, hyphens or a letter."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def spelling(name: str) -> str:
    """Return a name without what people write in several ways: case, and blanks, underscores or hyphens in it.

    Other characters stay, because sizes such as 1.5 and 15 or grades such as A and A+ are different names.

    >>> spelling("Give_Way") == spelling(" give-way")
    True
    """
    text = re.sub(r"[\s_]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()
    return re.sub(r"(?<=\w) ?- ?(?=\w)", " ", text)


def near_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant: of the same spelling, or else the most similar one, or None.

    >>> near_name("give_way", ["Stop", "Give Way"])
    'Give Way'
    """
    names = {spelling(other): other for other in known}
    close = [spelling(name)] if spelling(name) in names else get_close_matches(spelling(name), names, n=1, cutoff=0.8)
    return names[close[0]] if close else None


def did_you_mean(names: Sequence[str], known: Iterable[str], most: int = 3) -> str:
    """Return the end of a message that suggests a known name for each unknown one; empty where none is near.

    Each known name is suggested once. Names that are joined with another one already should not be among them.
    """
    left, near = list(known), []
    for name in names[:most]:
        if (meant := near_name(name, left)) is not None:
            near.append((name, meant))
            left.remove(meant)
    if not near:
        return ""
    if len(names) == 1:
        return f"; did you mean {near[0][1]!r}?"
    return f"; did you mean {', '.join(f'{meant!r} by {name!r}' for name, meant in near)}?"


def same_spelling(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Group the names that differ in nothing but their spelling, see :func:`spelling`."""
    groups = defaultdict(list)
    for name in names:
        groups[spelling(name)].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]

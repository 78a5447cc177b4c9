"""The one form in which names are joined, and names that were probably meant to be the same."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_BLANKS = "[\\s\u200b\u2060\ufeff]+"
"""Blanks, with those that have no width and so are invisible."""

_AROUND = re.compile(f"^{_BLANKS}|{_BLANKS}$")


def plain_name(name: str) -> str:
    r"""Return a name in the one form in which names are joined: composed letters (Unicode NFC), no blanks around it.

    macOS writes é in file names as e and an accent, and keyboards write one letter. Both look alike, and are one name.

    >>> plain_name("cafe\u0301 ") == plain_name("caf\u00e9")
    True
    """
    return name.strip() if name.isascii() else _AROUND.sub("", unicodedata.normalize("NFC", name))


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

    Similar names have the same numbers, because ``class 20`` is no misspelt ``class 2``.

    >>> near_name("give_way", ["Stop", "Give Way"])
    'Give Way'
    """
    names, own = {spelling(other): other for other in known}, spelling(name)
    if own in names:
        return names[own]
    numbers = re.findall(r"\d+", own)
    alike = [other for other in names if re.findall(r"\d+", other) == numbers]
    close = get_close_matches(own, alike, n=1, cutoff=0.8)
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

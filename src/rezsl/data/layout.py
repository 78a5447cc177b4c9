"""Where the parts of an official archive lie, whichever folder of it a user names."""

from dataclasses import dataclass
from pathlib import Path

from rezsl.errors import DataError


@dataclass(frozen=True)
class Part:
    """A file or folder of an archive.

    Attributes:
        name: what the archive calls it.
        places: paths relative to the given directory where it may lie, the likeliest first.
        download: what to download for it: name, size, and whose page has it.
    """

    name: str
    places: tuple[str, ...]
    download: str


@dataclass(frozen=True)
class Layout:
    """The parts that an archive must have.

    Attributes:
        title: the data set's name.
        parts: files and folders, all of them necessary.
        signs: any of these in a directory says that it is meant to hold this data set.
    """

    title: str
    parts: tuple[Part, ...]
    signs: tuple[str, ...]

    def find(self, root: Path, name: str) -> Path:
        """Path of a part.

        Raises:
            DataError: the part is nowhere; says what to download.
        """
        part = next(part for part in self.parts if part.name == name)
        found = locate(root, part)
        if found is None:
            raise DataError(f"{root}: expected {part.name} of {self.title}, found none; download {part.download}")
        return found


def locate(root: Path, part: Part) -> Path | None:
    """Path of a part, or None where it is in none of its places."""
    candidates = (root / place for place in part.places)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def within(folder: str, *places: str) -> tuple[str, ...]:
    """The places themselves, for a user who names the unpacked folder, and inside it, for one who names its parent."""
    return (*places, *(f"{folder}/{place}" for place in places))

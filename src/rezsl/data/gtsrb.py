"""German Traffic Sign Recognition Benchmark (Stallkamp et al., 2012): 39,209 training images of 43 signs, in boxes."""

from collections.abc import Iterator
from pathlib import Path

import torch

from rezsl.data._archive import Archive, Part, Totals, Unpacked, within
from rezsl.data._benchmark import Benchmark, group_numbers
from rezsl.data._images import Crop
from rezsl.errors import DataError, shortened
from rezsl.files import local_path, naming, read_csv
from rezsl.semantics import ClassSemantics

GTSRB = Archive(
    # A fifth of the classes is unseen, because no split is proposed.
    totals=Totals("GTSRB", images=39_209, classes=43, attributes=47, unseen=9, validation=8, split="none"),
    parts=(
        Part(
            "Final_Training/Images",
            (*within("GTSRB", "Final_Training/Images"), "Images"),
            "GTSRB_Final_Training_Images.zip (about 263 MB, Ruhr University Bochum, GTSRB)",
        ),
    ),
    signs=("Final_Training", "GTSRB", "Images/00000"),
    counters=(
        lambda here: here.count_files("Final_Training/Images", ".ppm"),
        lambda here: len(list(here.path("Final_Training/Images").glob("[0-9]*/GT-*.csv"))),
        lambda _: len(sign_semantics().attributes),
    ),
)

_COLUMNS = ("Filename", "Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId")


@GTSRB.reader("gtsrb")
def load_gtsrb(root: str | Path, seed: int = 0) -> Benchmark:
    """Read the unpacked GTSRB_Final_Training_Images.zip.

    Every image is the box of its sign (:class:`~rezsl.data.Crop`). ``<track>_<frame>.ppm`` of one class and track show
    one physical sign; they form a group and stay on one side of every split. The archive describes no class; the
    table of shapes, colours and pictograms is part of this package. Whole classes, and a fifth of the signs of the
    others to test on, are held out by ``seed``; a note names the classes. A file that is missing or damaged, or a row
    of a ``GT-*.csv`` that does not fit, is a DataError.

    Args:
        root: the folder ``GTSRB``, its parent, or ``Final_Training`` in it.
        seed: seed of the draws.
    """
    here = Unpacked(GTSRB, local_path(root))
    images = here.path("Final_Training/Images")
    semantics = sign_semantics()
    frames = [frame for label in range(len(semantics.classes)) for frame in _read_class(images / f"{label:05d}", label)]
    crops, rows, tracks = zip(*frames, strict=True)
    labels, groups = torch.tensor(rows), group_numbers(list(zip(rows, tracks, strict=True)))
    return here.benchmark(crops, labels, semantics, None, seed, groups)


def sign_semantics() -> ClassSemantics:
    """Return the table of the 43 signs, in the order of their class numbers; it was written from the signs' design."""
    table = ClassSemantics.from_csv(Path(__file__).with_name("gtsrb-semantics.csv"))
    groups, _, names = zip(*(attribute.partition("/") for attribute in table.attributes), strict=True)
    return ClassSemantics(table.classes, names, table.values, groups=groups)


def _read_class(folder: Path, label: int) -> Iterator[tuple[Crop, int, str]]:
    """Yield the box, the class and the track of each photo of a class."""
    path, remedy = folder / f"GT-{label:05d}.csv", "unpack the archive again"
    header, rows = read_csv(path, DataError, _COLUMNS, remedy, delimiter=";")
    if not rows:
        raise DataError(f"{path}: expected at least one frame, got none; {remedy}")
    for line, cells in rows:
        row, place = dict(zip(header, cells, strict=True)), f"{path}, line {line}"
        try:
            width, height, left, top, right, bottom, listed = (int(row[column]) for column in _COLUMNS[1:])
        except ValueError:
            raise DataError(
                f"{place}: expected {len(_COLUMNS)} cells, numbers but for the first, got "
                f"{shortened(';'.join(cells), 60)!r}; unpack the archive again"
            ) from None
        if listed != label:
            raise DataError(f"{place}: expected ClassId {label}, the folder's, got {listed}; unpack the archive again")
        name = row["Filename"]
        track, separator, _ = name.partition("_")
        if not separator:
            raise DataError(f"{place}: expected a file <track>_<frame>.ppm, got {name!r}; unpack the archive again")
        if right > width or bottom > height:
            raise DataError(
                f"{place}: expected a box inside {width} × {height} pixels, got {left, top, right, bottom}"
                "; unpack the archive again"
            )
        with naming(place):
            # X2 is read as the first column outside the box, because a sign's left and right margins are then equal.
            crop = Crop(folder / name, (left, top, right, bottom))
        yield crop, label, track

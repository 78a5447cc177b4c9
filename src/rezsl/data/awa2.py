"""Animals with Attributes 2 (Xian et al., 2018): 37,322 images of 50 animals, 85 attributes."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from rezsl.data._archive import Archive, Totals, Unpacked, parts_within
from rezsl.data._benchmark import Benchmark
from rezsl.data._data_files import class_table, read_matrix, read_numbered
from rezsl.data._image_files import find_images
from rezsl.data._split_file import Missing, fill_unknown
from rezsl.errors import DataError, name_some
from rezsl.files import local_path, naming

_FOLDER = "Animals_with_Attributes2"
_PUBLISHER = "Institute of Science and Technology Austria, Animals with Attributes 2"
_LISTS = ("classes.txt", "predicates.txt", "predicate-matrix-continuous.txt")

AWA2 = Archive(
    totals=Totals("AWA2", images=37_322, classes=50, attributes=85, unseen=10, validation=13),
    parts=(
        *parts_within(_FOLDER, f"AwA2-base.zip (32 KB, {_PUBLISHER})", *_LISTS),
        *parts_within(_FOLDER, f"AwA2-data.zip (13 GB, {_PUBLISHER})", "JPEGImages"),
    ),
    signs=("predicate-matrix-continuous.txt", "predicates.txt", _FOLDER),
    counters=(lambda here: here.count_files("JPEGImages", ".jpg"), "classes.txt", "predicates.txt"),
)

# The list of attributes runs from colours to character, in the order of Osherson et al. (1991); published groupings
# divide that list where its subject changes. In this division, "smelly", which stands between body parts and movement,
# belongs to the body, and hunting and grazing belong to nutrition.
_GROUPS = {
    "colour": "black white blue brown gray orange red yellow",
    "surface": "patches spots stripes furry hairless toughskin",
    "build": "big small bulbous lean",
    "body parts": "flippers hands hooves pads paws longleg longneck tail chewteeth meatteeth buckteeth strainteeth "
    "horns claws tusks smelly",
    "movement": "flys hops swims tunnels walks fast slow strong weak muscle bipedal quadrapedal agility",
    "activity": "active inactive nocturnal hibernate",
    "nutrition": "fish meat plankton vegetation insects forager grazer hunter scavenger skimmer stalker",
    "habitat": "newworld oldworld arctic coastal desert bush plains forest fields jungle mountains ocean ground water "
    "tree cave",
    "character": "fierce timid smart group solitary nestspot domestic",
}

GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names.split()}
"""Group of every attribute."""


@AWA2.reader("awa2")
def load_awa2(
    root: str | Path, splits: str | Path | None = None, missing: Missing = "mean", seed: int = 0
) -> Benchmark:
    """Read the unpacked AwA2-base.zip and AwA2-data.zip; errors as for :func:`~rezsl.data.load_cub`.

    Class semantics are the table's percentages as numbers from 0 to 1.

    Args:
        root: the folder ``Animals_with_Attributes2``, or its parent.
        splits: as for :func:`~rezsl.data.load_cub`.
        missing: values that the table marks as unknown (−1): ``mean`` puts the attribute's mean over the other
            classes, ``keep`` leaves the table's −1 (percent), as most published results did.
        seed: seed of the draw of unseen classes if there is no proposed split.
    """
    here = Unpacked(AWA2, local_path(root))
    folder = here.path("JPEGImages")
    classes = read_numbered(here.path("classes.txt"))
    attributes = read_numbered(here.path("predicates.txt"))
    path = here.path("predicate-matrix-continuous.txt")
    percent = read_matrix(path, len(classes), len(attributes)).numpy()
    with naming(path):
        percent, notes = fill_unknown(percent, percent == -1, missing, attributes)
    semantics = class_table(path, classes, attributes, torch.from_numpy(percent / 100), awa_groups(attributes))
    found = [find_images(folder / name) if os.path.isdir(folder / name) else [] for name in classes]
    if empty := [name for name, images in zip(classes, found, strict=True) if not images]:
        raise DataError(
            f"{folder}: expected a folder of images for each of {len(classes)} classes, {len(empty)} have none: "
            f"{name_some(empty)}; unpack the archive of images again"
        )
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor([len(images) for images in found]))
    images = [image for images in found for image in images]
    return here.benchmark(images, labels, semantics, splits, seed, notes=notes)


def awa_groups(attributes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the group of each attribute; None if one is not of the 85, so that the table is a different one."""
    return tuple(GROUP_OF[name] for name in attributes) if GROUP_OF.keys() >= set(attributes) else None

"""SUN Attribute Database (Patterson and Hays, 2012): 14,340 images of 717 scenes, 102 attributes."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from rezsl.data._archive import Archive, Part, Totals, Unpacked, class_means, parts_within, within
from rezsl.data._benchmark import Benchmark
from rezsl.data._data_files import class_table, read_matlab, read_variable, strings_of
from rezsl.errors import DataError, name_some
from rezsl.files import local_path
from rezsl.semantics import plain_name

_FOLDER = "SUNAttributeDB"
_PUBLISHER = "Brown University, SUN Attribute Database"
_LISTS = ("attributes.mat", "images.mat", "attributeLabels_continuous.mat")
_IMAGES = ("SUNAttributeDB_Images/images", "../images", "../SUNAttributeDB_Images/images")

SUN = Archive(
    totals=Totals("SUN", images=14_340, classes=717, attributes=102, unseen=72, validation=65),
    parts=(
        *parts_within(_FOLDER, f"SUNAttributeDB.tar.gz (a few MB, {_PUBLISHER})", *_LISTS),
        Part(
            "images",
            (*within(_FOLDER, "images"), *_IMAGES),
            f"SUNAttributeDB_Images.tar.gz (several GB, {_PUBLISHER})",
        ),
    ),
    signs=("attributeLabels_continuous.mat", _FOLDER, "SUNAttributeDB_Images"),
    counters=(
        lambda here: here.count_files("images", ".jpg"),
        lambda here: len(set(map(scene_class, _listed_files(here)))),
        lambda here: len(_strings(here, "attributes")),
    ),
)

# Patterson and Hays list the attributes of four groups one after the other; each group begins at the named attribute.
_FIRST_OF_GROUP = {"fencing": "materials", "natural light": "surface properties", "natural": "spatial envelope"}


@SUN.reader("sun")
def load_sun(root: str | Path, splits: str | Path | None = None, seed: int = 0) -> Benchmark:
    """Read the unpacked SUNAttributeDB.tar.gz and SUNAttributeDB_Images.tar.gz; errors as for :func:`load_cub`.

    A class is the path between the letter folder and the file, its parts joined by ``_`` as xlsa17 spells it
    (``c/church/indoor/sun_x.jpg`` is a ``church_indoor``); its semantics are the mean of its images' labels.

    Args:
        root: the folder ``SUNAttributeDB``, or its parent; the folder ``images`` lies in either.
        splits: as for :func:`~rezsl.data.load_cub`.
        seed: seed of the draw of unseen classes if there is no proposed split.
    """
    here = Unpacked(SUN, local_path(root))
    folder = here.path("images")
    attributes = _strings(here, "attributes")
    files = _listed_files(here)
    names = [plain_name(scene_class(file)) for file in files]
    if strange := [file for file, name in zip(files, names, strict=True) if not name]:
        raise DataError(
            f"{here.path('images.mat')}: expected paths <letter>/<class>/<file>, got {len(strange)} others: "
            f"{name_some(strange, most=3)}; unpack the archive again"
        )
    path = here.path("attributeLabels_continuous.mat")
    table = read_variable(path, "labels_cv")
    if table.shape != (len(files), len(attributes)):
        raise DataError(
            f"{path}: expected 'labels_cv' as {len(files):,} images × {len(attributes)} attributes, "
            f"got shape {table.shape}; unpack the archive again"
        )
    odd = table.dtype if table.dtype.kind not in "biuf" else next(iter(table[~np.isfinite(table)]), None)
    if odd is not None:
        raise DataError(f"{path}: expected finite numbers in 'labels_cv', got {odd}; unpack the archive again")
    classes, rows = np.unique(names, return_inverse=True)
    labels, values = torch.from_numpy(rows), torch.from_numpy(np.array(table, dtype=np.float64))
    groups = sun_groups(attributes)
    semantics = class_table(path, classes.tolist(), attributes, class_means(labels, values, len(classes)), groups)
    notes = () if groups else ("the attributes are not in the database's order, so they have no groups",)
    images = [folder / file for file in files]
    return here.benchmark(images, labels, semantics, splits, seed, notes=notes)


def scene_class(file: str) -> str:
    """Return the class of an image by its path.

    >>> scene_class("c/church/indoor/sun_x.jpg")
    'church_indoor'
    """
    return "_".join(PurePosixPath(file).parts[1:-1])


def sun_groups(attributes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the group of each attribute; None if the attributes that begin a group are missing or in another order."""
    spelt = [name.strip().lower() for name in attributes]
    if [name for name in spelt if name in _FIRST_OF_GROUP] != list(_FIRST_OF_GROUP):
        return None
    group, groups = "functions and affordances", []
    for name in spelt:
        group = _FIRST_OF_GROUP.get(name, group)
        groups.append(group)
    return tuple(groups)


def _listed_files(here: Unpacked) -> list[str]:
    return _strings(here, "images")


def _strings(here: Unpacked, name: str) -> list[str]:
    """Return the texts of the variable in the list that has its name."""
    path = here.path(f"{name}.mat")
    return strings_of(read_matlab(path, required=[name]), name, path)

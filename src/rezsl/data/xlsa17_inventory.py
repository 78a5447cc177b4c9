"""Counting what a directory of xlsa17 holds, and which data set that is."""

from pathlib import Path

import numpy as np

from rezsl.data.census import Census, table_shape
from rezsl.data.known import KNOWN, KnownDataSet
from rezsl.data.matlab import read_matlab

_TEST_PARTS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")


def xlsa17_census(root: Path) -> tuple[Census, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Counts, parts found, parts missing, and notes."""
    numbers, found, missing, notes = Census(), [], [], []
    split_paths = sorted(root.glob("*_splits.mat"))
    split_path = next((path for path in split_paths if path.name == "att_splits.mat"), None)
    split_path = split_path or next(iter(split_paths), None)
    features = [path for path in sorted(root.glob("*.mat")) if path not in split_paths]
    found += [path.name for path in (*split_paths, *features)]
    if split_path is None:
        missing.append("att_splits.mat")
    shape = numbers.read(split_path, table_shape)
    if shape is not None:
        numbers.attributes, numbers.classes = shape
    labels = [numbers.read(path, _label_count) for path in features]
    # Images of which there are features: what the loader needs, of the file it takes unless told otherwise.
    order = sorted(range(len(features)), key=lambda position: features[position].name != "res101.mat")
    numbers.images = next((labels[position] for position in order if labels[position] is not None), None)
    if numbers.images is None:
        missing.append("res101.mat, or another feature file with 'labels'")
    if (root / "attributes.txt").is_file():
        found.append("attributes.txt")
    else:
        notes.append("no attributes.txt: attributes will be called by their numbers")
    numbers.listed = numbers.read(split_path, _split_count)
    if numbers.listed is not None and numbers.images is not None and numbers.listed > numbers.images:
        missing.append(f"{numbers.listed - numbers.images:,} of the {numbers.listed:,} images that the split lists")
    return numbers, tuple(found), tuple(missing), tuple(notes)


def xlsa17_data_set(root: Path, numbers: Census) -> KnownDataSet | None:
    """The data set that these are the features of; None where it is none of the known ones.

    By the number of classes, and by that of images or the directory's name where two have as many classes.
    """
    alike = [known for known in KNOWN if known.classes == numbers.classes and known.title != "GTSRB"]
    name = root.resolve().name.upper()
    exact = [known for known in alike if known.images in (numbers.images, numbers.listed)]
    named = [known for known in alike if known.title.upper() == name]
    return next(iter([*exact, *named, *(alike if len(alike) == 1 else [])]), None)


def _split_count(path: Path) -> int | None:
    """How many images the split divides."""
    content = read_matlab(path, _TEST_PARTS)
    return len(np.unique(np.concatenate([content[name].ravel() for name in content]))) if content else None


def _label_count(path: Path) -> int | None:
    """How many images a feature file has; None where the file is no feature file."""
    labels = read_matlab(path, ("labels",)).get("labels")
    return None if labels is None else labels.size

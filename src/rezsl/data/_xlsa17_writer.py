"""Split files in the layout of xlsa17 (Xian et al., TPAMI 2018), as :func:`rezsl.data.read_split_file` reads them.

The splits follow the rule of :func:`rezsl.data.make_splits`; this module writes them down:

- images are numbered from 1 in the order of ``image_files.mat``, which is the order of the lines of ``splits.csv``;
  columns of features must be brought into that order;
- ``trainval_loc`` are the images of ``train`` and ``val``; ``train_loc`` and ``val_loc`` are its parts by class, and
  contain no test image (in the files of 2018 they do); both are left out if there are no validation classes;
- ``test_seen_loc`` and ``test_unseen_loc`` are the splits of these names;
- ``original_att`` is the unchanged table, attributes × classes; in ``att`` each class is scaled to unit length.
"""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from torch import Tensor

from rezsl.errors import DataError, name_some
from rezsl.semantics import ClassSemantics

XLSA17_FOLDER = "xlsa17"
"""Name of the folder of these files, in the folder of the images."""

_HEADER = b"MATLAB 5.0 MAT-file, written by rezsl".ljust(116)
"""It replaces scipy's header, which contains the time, so that equal splits are equal bytes."""


def xlsa17_files(
    semantics: ClassSemantics, labels: Int[Tensor, "N"], files: Sequence[str], splits: Sequence[str]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the contents of ``att_splits.mat``, ``image_files.mat`` and ``attributes.txt``.

    Args:
        semantics: the class semantics of all classes.
        labels: row of every image's class.
        files: every image, in the order of the numbers.
        splits: train, val, test_seen or test_unseen for every image.

    Returns:
        Contents by file name, and notes.

    Raises:
        DataError: the name of an attribute has more than one line, so that it cannot be listed line by line.
    """
    if broken := [name for name in semantics.attributes if len(name.splitlines()) != 1]:
        raise DataError(f"attributes: expected names of one line for attributes.txt, got {name_some(broken)}")
    original = semantics.values.double().numpy().T
    content = {
        "att": original / np.linalg.norm(original, axis=0),
        "original_att": original,
        "allclasses_names": _cells(semantics.classes),
        **_positions(splits),
    }
    notes: tuple[str, ...] = ()
    if (original == -1).any():
        # In such files -1 means "unknown", and readers replace it.
        del content["original_att"]
        notes = ("att_splits.mat is without original_att: there -1 means unknown, and the table has values of -1",)
    order = {"image_files": _cells(files), "labels": _column(labels.numpy() + 1)}
    return {
        "att_splits.mat": _matlab(content),
        "image_files.mat": _matlab(order),
        "attributes.txt": ("\n".join(semantics.attributes) + "\n").encode(),
    }, notes


def _positions(splits: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the index arrays, counting from 1."""
    of = {
        name: [number for number, split in enumerate(splits, start=1) if split in members]
        for name, members in {
            "trainval_loc": ("train", "val"),
            "test_seen_loc": ("test_seen",),
            "test_unseen_loc": ("test_unseen",),
            "train_loc": ("train",),
            "val_loc": ("val",),
        }.items()
    }
    if not of["val_loc"]:
        del of["train_loc"], of["val_loc"]
    return {name: _column(positions) for name, positions in of.items()}


def _column(values: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return a column of doubles, MATLAB's own numbers, so that code that subtracts 1 or divides cannot overflow."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)


def _cells(texts: Sequence[str]) -> np.ndarray:
    cells = np.empty((len(texts), 1), dtype=object)
    cells[:, 0] = texts
    return cells


def _matlab(variables: dict[str, np.ndarray]) -> bytes:
    from scipy.io import savemat  # noqa: PLC0415 - a quarter of a second for this writer only

    stream = io.BytesIO()
    savemat(stream, variables, do_compression=True)  # type: ignore[arg-type] # open files work, but are not in its stubs
    return _HEADER + stream.getvalue()[len(_HEADER) :]

"""Split files in the layout of xlsa17 (Xian et al., TPAMI 2018), as :mod:`rezsl.data.xlsa17` reads them.

How was ``att_splits.mat`` generated? By the rule in :mod:`rezsl.data.make_splits`; this module only writes it down:

- images are numbered from 1 in the order of ``image_files.mat``, which is the order of the lines of ``splits.csv``;
  columns of features must be brought into that order;
- ``trainval_loc`` are the images of ``train`` and ``val``; ``train_loc`` and ``val_loc`` are its parts by class, and
  hold no test image (in the files of 2018 they do); both are left out where there are no validation classes;
- ``test_seen_loc`` and ``test_unseen_loc`` are the splits of these names;
- ``original_att`` is the table as it stands, attributes × classes; ``att`` has each class scaled to unit length.
"""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from torch import Tensor

from rezsl.errors import DataError, name_some
from rezsl.semantics import ClassSemantics

XLSA17_FOLDER = "xlsa17"
"""Name of the folder, below the images' one, that the files go to."""

_HEADER = b"MATLAB 5.0 MAT-file, written by rezsl".ljust(116)
"""In place of scipy's, which holds the time: the same splits are the same bytes."""


def xlsa17_files(
    semantics: ClassSemantics, labels: Int[Tensor, "N"], files: Sequence[str], splits: Sequence[str]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Contents of ``att_splits.mat``, ``image_files.mat`` and ``attributes.txt``.

    Args:
        semantics: of all classes.
        labels: row of every image's class.
        files: every image, in the order that is counted in.
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
        # The field's files write -1 for "unknown", and readers put something else in its place.
        del content["original_att"]
        notes = ("att_splits.mat is without original_att: there -1 means unknown, and the table has values of -1",)
    order = {"image_files": _cells(files), "labels": _column(labels.numpy() + 1)}
    return {
        "att_splits.mat": _matlab(content),
        "image_files.mat": _matlab(order),
        "attributes.txt": ("\n".join(semantics.attributes) + "\n").encode(),
    }, notes


def _positions(splits: Sequence[str]) -> dict[str, np.ndarray]:
    """Index arrays, counting from 1."""
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
    """MATLAB's own numbers are doubles: code that subtracts 1 or divides does not wrap around."""
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

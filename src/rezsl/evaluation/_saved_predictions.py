"""Predictions of other programs: their checks, and the NumPy files from which they are read."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from rezsl.errors import DataError, name_some
from rezsl.evaluation._evaluation import Evaluation
from rezsl.files import local_path, read_npz, write_npz
from rezsl.functional.statistics import spread
from rezsl.semantics import ClassSemantics, did_you_mean, plain_name

Arrays = dict[str, NDArray[Any]]

MOST_SCORES = 1 << 24
"""The most class scores of a file of predictions, which take 64 MiB."""


class SavedPredictions(NamedTuple):
    """The predictions of a model for :func:`rezsl.evaluation.analyse`, in the order of a semantics table.

    Attributes:
        predictions: predicted attributes ``[N, S]``, float32.
        labels: row of the table of each sample, ``[N]``.
        scores: class scores ``[N, C]``, float32, or None.
    """

    predictions: Float[Tensor, "N S"]
    labels: Int[Tensor, "N"]
    scores: Float[Tensor, "N C"] | None


def load_predictions(path: str | Path, semantics: ClassSemantics, labels: str | Path | None = None) -> SavedPredictions:
    """Read predicted attributes that any program wrote with NumPy. No code in the file is executed (no pickle).

    An ``.npz`` file holds ``predictions`` [N, S], ``labels`` [N] (class names, or numbers) and optionally ``scores``
    [N, C]. With ``attributes`` (S names of the columns of ``predictions``) and ``classes`` (C names of the columns of
    ``scores``, whose positions the numbers in ``labels`` then are) everything is joined by name; without them columns
    and numbers are those of the table. An ``.npy`` file holds the predictions alone.

    Args:
        path: ``.npz`` or ``.npy`` file.
        semantics: the table whose rows and columns the result has.
        labels: file of the labels, which replaces those in ``path``.

    Raises:
        DataError: a file is missing or damaged, lacks an array, or an array does not fit the table; it names the file,
            the array, its shape and the expected one.
    """
    path = local_path(path)
    arrays = _read(path, "predictions")
    if labels is not None:
        arrays |= {"labels": _read(local_path(labels), "labels").get("labels", np.empty(0))}
    for name in ("predictions", "labels"):
        if name not in arrays:
            hint = "; give the labels in a file of their own" if path.suffix == ".npy" else "; save it too"
            raise DataError(f"{path}: expected an array {name!r}, got {', '.join(sorted(arrays)) or 'none'}{hint}")
    try:
        columns = _order("attributes", arrays, semantics.attributes)
        classes = _order("classes", arrays, semantics.classes)
        predictions = _numbers("predictions", arrays["predictions"], columns)
        scores = _numbers("scores", arrays["scores"], classes) if "scores" in arrays else None
        rows = _rows(arrays["labels"], classes, semantics)
        check_predictions(predictions, rows, semantics, scores)
    except DataError as error:
        source = path if labels is None else f"{path} and {labels}"
        raise DataError(f"{source}: {error}") from error
    return SavedPredictions(predictions, rows, scores)


def save_predictions(path: Path, evaluation: Evaluation, index: Int[Tensor, "N"]) -> None:
    """Write the samples of an evaluation to an ``.npz`` file that :func:`load_predictions` reads.

    The file also holds ``index`` (position of each sample in the benchmark), ``seen`` (names of the seen classes) and
    ``gamma``, with which :func:`rezsl.evaluation.analyse_validation` repeats the whole analysis. Of samples whose
    scores would be more than :data:`MOST_SCORES` the file has fewer, spread evenly over all.
    """
    samples = evaluation.samples
    assert samples is not None
    table = samples.semantics
    kept = spread(torch.arange(len(samples.labels)), max(1, MOST_SCORES // len(table.classes)))
    scores = torch.empty(len(kept), len(table.classes))
    for part, block in samples.score_blocks():
        first, end = torch.searchsorted(kept, torch.tensor([part.start, part.start + len(block)])).tolist()
        scores[first:end] = block[kept[first:end] - part.start]
    arrays = {
        "predictions": samples.predictions[kept].float().numpy(),
        "scores": scores.numpy(),
        "labels": np.array([table.classes[row] for row in samples.labels[kept].tolist()]),
        "attributes": np.array(table.attributes),
        "classes": np.array(table.classes),
        "seen": np.array([name for name, seen in zip(table.classes, samples.is_seen.tolist(), strict=True) if seen]),
        "gamma": np.array(evaluation.gamma),
        "index": index[kept].numpy(),
    }
    write_npz(path, arrays)


def _read(path: Path, name: str) -> Arrays:
    """Read arrays by name; the array of an ``.npy`` file, which has no name, gets the given one."""
    if path.suffix not in (".npz", ".npy"):
        raise DataError(
            f"{path}: expected a NumPy file, .npz or .npy, got {path.suffix or 'no ending'}; "
            f"write them with numpy.savez"
        )
    content = read_npz(path, DataError, "a NumPy file of numbers", "write it again with numpy.savez")
    return {name: content["arr_0"]} if path.suffix == ".npy" and set(content) == {"arr_0"} else content


def _order(name: str, arrays: Arrays, expected: tuple[str, ...]) -> list[int]:
    """Return where in the file each name of the table is; without names in the file the order is the same."""
    if name not in arrays:
        return list(range(len(expected)))
    if arrays[name].dtype.kind != "U":
        raise DataError(
            f"{name}: expected names, got {arrays[name].dtype} of shape {arrays[name].shape}; save them as text"
        )
    given = [plain_name(entry) for entry in arrays[name].flatten().tolist()]
    if sorted(given) != sorted(expected):
        differing = sorted(set(given) ^ set(expected))
        problem = f"which differ in {name_some(differing)}" if differing else "some of them repeated"
        hint = did_you_mean([entry for entry in given if entry not in expected], [*{*expected} - {*given}])
        raise DataError(
            f"{name}: expected the {len(expected)} names of the semantics table, got {len(given)}, {problem}{hint}"
            "; save those of the table"
        )
    place = {name: position for position, name in enumerate(given)}
    return [place[entry] for entry in expected]


def _numbers(name: str, array: NDArray[Any], order: list[int]) -> Tensor:
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.shape[1] != len(order):
        raise DataError(
            f"{name}: expected samples × {len(order)} numbers, got {array.dtype} of shape {array.shape}"
            "; save a row per sample"
        )
    return torch.from_numpy(np.ascontiguousarray(array[:, order], dtype=np.float32))


def _rows(labels: NDArray[Any], order: list[int], semantics: ClassSemantics) -> Tensor:
    """Return rows of the table from names, or from numbers, which are positions in ``order``."""
    if labels.ndim == 2 and 1 in labels.shape:  # MATLAB saves vectors as one row or one column
        labels = labels.flatten()
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise DataError(
            f"labels: expected a class number or name per sample, got {labels.dtype} of shape {labels.shape}"
            "; save one for each"
        )
    if labels.dtype.kind == "U":
        return torch.tensor(semantics.index(labels.tolist()), dtype=torch.int64)
    rows = torch.from_numpy(labels.astype(np.int64))
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(order):
        raise DataError(
            f"labels: expected numbers in [0, {len(order)}), positions in 'classes' or else in the semantics table, "
            f"got {int(rows.min())} to {int(rows.max())}"
            "; save names instead of numbers"
        )
    return torch.tensor(order).argsort()[rows]


def check_predictions(predictions: Tensor, labels: Tensor, semantics: ClassSemantics, scores: Tensor | None) -> None:
    """Raise a DataError for a wrong shape or type, a label outside the table, or a number that is not finite."""
    samples, rows = len(predictions), len(semantics.classes)
    _check_matrix("predictions", predictions, samples, len(semantics.attributes), "attribute")
    if not samples:
        raise DataError("predictions: expected at least one sample, got none; give some")
    if labels.shape != (samples,) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(
            f"labels: expected a whole number per sample, {samples}, got {labels.dtype} of shape {tuple(labels.shape)}"
            "; give one for each"
        )
    if len(outside := labels[(labels < 0) | (labels >= rows)]):
        raise DataError(
            f"labels: expected class numbers in [0, {rows}), the rows of the semantics table, got {int(outside[0])}"
            "; count the rows from 0"
        )
    if scores is not None:
        _check_matrix("scores", scores, samples, rows, "class")


def _check_matrix(argument: str, matrix: Tensor, rows: int, columns: int, column: str) -> None:
    if matrix.shape != (rows, columns) or not matrix.is_floating_point():
        raise DataError(
            f"{argument}: expected numbers [{rows}, {columns}], a row per sample and a column per {column} of the "
            f"semantics table, got {matrix.dtype} of shape {tuple(matrix.shape)}; give them so"
        )
    if len(broken := (~matrix.isfinite().all(dim=1)).nonzero()):
        raise DataError(
            f"{argument}: expected finite numbers, got NaN or infinity in row {int(broken[0])}"
            "; correct the row, or leave it out"
        )

"""Feature vectors to predict from, out of files that hold nothing else."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.data._matlab import read_matlab
from rezsl.errors import DataError

FEATURE_SUFFIXES = (".npy", ".mat")


def read_feature_rows(path: str | Path) -> Float[Tensor, "N D"]:
    """Features from ``.npy`` (N × D, or one vector) or ``.mat`` (variable ``features``, D × N as in xlsa17).

    Raises:
        DataError: the file is missing or damaged, is of another kind or shape, or holds NaN or infinity.
    """
    path = Path(path)
    if path.suffix == ".mat":
        content = read_matlab(path)
        if "features" not in content:
            raise DataError(f"{path}: expected a variable 'features', got {', '.join(sorted(content)) or 'none'}")
        rows = content["features"].T
    elif path.suffix == ".npy":
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: not a readable array of numbers ({error})") from error
    else:
        raise DataError(f"{path}: expected features as .npy or .mat")
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.size:
        raise DataError(f"{path}: expected features as N × D numbers, got {rows.dtype} of shape {rows.shape}")
    with np.errstate(over="ignore"):  # what became infinite is refused below
        features = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
    if not bool(features.isfinite().all()):
        bad = int((~features.isfinite().all(dim=1)).nonzero()[0])
        raise DataError(f"{path}: expected finite features, got NaN or infinity in row {bad}")
    return features

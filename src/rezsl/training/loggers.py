"""Loggers by name: where else a run writes its metrics, and its images and tables where the logger takes them.

Each function builds a logger of Lightning. None of the programs behind them is needed for a training.
"""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from rezsl.errors import needs
from rezsl.evaluation import Evaluation
from rezsl.files import csv_text, local_path
from rezsl.metrics import read_metrics
from rezsl.training.callbacks import Logger

LEAST_WIDTH = 480
"""The pixels that the image of an error matrix has at least on its longer side."""

RAMP = ((255, 255, 255), (254, 183, 110), (205, 64, 98), (44, 17, 95))
"""The colours of no error, and of one, two and three thirds of the largest error."""


def csv(root_dir: str | Path = "logs", name: str = "rezsl") -> Logger:
    """Write a CSV file with a line per epoch; nothing needs to be installed.

    Args:
        root_dir: the directory of all logs.
        name: the directory of this experiment in it; each run gets a new ``version_<n>`` there.
    """
    from lightning_fabric.loggers.csv_logs import CSVLogger  # noqa: PLC0415 - only this logger needs it

    logger: Logger = CSVLogger(local_path(root_dir), name)
    return logger


def tensorboard(root_dir: str | Path = "logs", name: str = "rezsl") -> Logger:
    """Write event files for TensorBoard, with images of the errors.

    Args:
        root_dir: the directory of all logs, for ``tensorboard --logdir``.
        name: the directory of this experiment in it; each run gets a new ``version_<n>`` there.

    Raises:
        MissingPackageError: tensorboard is not installed.
    """
    with needs("tensorboard", "the logger tensorboard"):
        import_module("tensorboard")
        from lightning_fabric.loggers.tensorboard import TensorBoardLogger  # noqa: PLC0415 - the same

    logger: Logger = TensorBoardLogger(local_path(root_dir), name)
    return logger


def wandb(
    project: str = "rezsl", name: str | None = None, save_dir: str | Path = "logs", offline: bool = False
) -> Logger:
    """Send metrics, images and tables to Weights & Biases, or keep them for ``wandb sync``.

    Args:
        project: the project there.
        name: the name of the run; None lets wandb choose one.
        save_dir: the directory of wandb's own files.
        offline: write files only, and send nothing.

    Raises:
        MissingPackageError: wandb or lightning is not installed.
    """
    with needs("wandb", "the logger wandb"):
        import_module("wandb")
        from lightning.pytorch.loggers import WandbLogger  # noqa: PLC0415 - an import of seconds

    folder = local_path(save_dir)
    folder.mkdir(parents=True, exist_ok=True)
    logger: Logger = WandbLogger(project=project, name=name, save_dir=folder, offline=offline)
    return logger


def mlflow(
    experiment: str = "rezsl", name: str | None = None, tracking_uri: str | None = None, save_dir: str | Path = "logs"
) -> Logger:
    """Record metrics, images and tables with MLflow.

    Args:
        experiment: the name of the experiment.
        name: the name of the run; None lets MLflow choose one.
        tracking_uri: the address of the server; None records in ``mlflow.db`` in ``save_dir``.
        save_dir: the directory of the records where there is no server.

    Raises:
        MissingPackageError: mlflow or lightning is not installed.
    """
    with needs("mlflow", "the logger mlflow"):
        import_module("mlflow")
        from lightning.pytorch.loggers import MLFlowLogger  # noqa: PLC0415 - an import of seconds

    folder = local_path(save_dir).absolute()
    if tracking_uri is None:
        folder.mkdir(parents=True, exist_ok=True)
    artifacts = (folder / "mlflow-artifacts").as_uri() if tracking_uri is None else None
    logger: Logger = MLFlowLogger(
        experiment_name=experiment,
        run_name=name,
        tracking_uri=tracking_uri or f"sqlite:///{folder / 'mlflow.db'}",
        artifact_location=artifacts,
    )
    return logger


LOGGERS: dict[str, Callable[..., Logger]] = {build.__name__: build for build in (csv, tensorboard, wandb, mlflow)}
"""Every builder of a logger by its name, as ``--logger NAME`` takes it."""


def log_image(logger: Logger, name: str, pixels: NDArray[np.uint8], step: int | None = None) -> bool:
    """Pass an image ``[height, width, 3]`` to a logger that takes images; return whether it does."""
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(logger, "log_image"):  # as that of wandb
        logger.log_image(key=name, images=[pixels], step=step)
    elif hasattr(experiment, "add_image"):  # as that of TensorBoard
        experiment.add_image(name, pixels, step, dataformats="HWC")
    elif hasattr(experiment, "log_image") and hasattr(logger, "run_id"):  # as that of MLflow
        file = f"{name}.png" if step is None else f"{name}/{step:05d}.png"
        experiment.log_image(logger.run_id, pixels, artifact_file=file)
    else:
        return False
    return True


def log_table(logger: Logger, name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Pass a table to a logger that takes tables; return whether it does."""
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(logger, "log_table"):
        logger.log_table(key=name, columns=list(header), data=[list(row) for row in rows])
    elif hasattr(experiment, "add_text"):
        lines = [header, ["---"] * len(header), *rows]
        text = "\n".join(f"| {' | '.join(str(cell).replace('|', '¦') for cell in line)} |" for line in lines)
        experiment.add_text(name, text)
    elif hasattr(experiment, "log_text") and hasattr(logger, "run_id"):
        experiment.log_text(logger.run_id, csv_text(header, rows), f"{name}.csv")
    else:
        return False
    return True


def log_test(logger: Logger, test: Evaluation, step: int) -> None:
    """Pass the metrics of a test, as ``test/H``, and the tables of its classes and attributes to a logger."""
    metrics = read_metrics(test, "evaluation", "samples")
    logger.log_metrics({f"test/{name}": value for name, value in metrics.items() if not math.isnan(value)}, step)
    of_classes: dict[str, Sequence[Any]] = {
        "class": test.classes,
        "side": ["seen" if seen else "unseen" for seen in test.is_seen],
        "accuracy": test.class_accuracy.tolist(),
        "error": test.error_matrix.mean(dim=1).tolist(),
    }
    of_attributes: dict[str, Sequence[Any]] = {
        "attribute": test.attributes,
        "error": test.error_matrix.mean(dim=0).tolist(),
        "r2": test.attribute_r_squared.tolist(),
    }
    measures = test.measures
    if measures is not None and measures.average_precision is not None and measures.area_under_roc is not None:
        of_attributes["ap"] = measures.average_precision.tolist()
        of_attributes["auc"] = measures.area_under_roc.tolist()
    if measures is not None and test.samples is not None:
        f1 = dict(zip(test.samples.semantics.classes, measures.f1.tolist(), strict=True))
        of_classes["f1"] = [f1[name] for name in test.classes]
    for name, table in (("test/classes", of_classes), ("test/attributes", of_attributes)):
        log_table(logger, name, [*table], [*zip(*table.values(), strict=True)])


def heat_map(matrix: Float[Tensor, "K S"], largest: float) -> UInt8[np.ndarray, "height width 3"]:
    """Return the image of a matrix of errors, with a square per cell: white for 0, dark for ``largest`` and above."""
    place = (matrix.double() / (largest or 1.0)).nan_to_num().clamp(0, 1) * (len(RAMP) - 1)
    below = place.floor().clamp(max=len(RAMP) - 2).long()
    ramp, share = torch.tensor(RAMP, dtype=torch.float64), (place - below).unsqueeze(2)
    colors = ((1 - share) * ramp[below] + share * ramp[below + 1]).round().to(torch.uint8)
    size = max(1, -(-LEAST_WIDTH // max(matrix.shape)))
    pixels: NDArray[np.uint8] = colors.repeat_interleave(size, 0).repeat_interleave(size, 1).numpy()
    return pixels

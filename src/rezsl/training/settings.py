"""The record of everything that decides the outcome of a run."""

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import RunDirectoryError
from rezsl.training.fingerprint import fingerprint
from rezsl.training.run_directory import RunDirectory
from rezsl.training.stage import Recipe


def settings_of(data: Benchmark, classifier: ZeroShotClassifier, recipe: Recipe, patience: int) -> dict[str, Any]:
    """Everything that decides the outcome, as JSON."""
    return {
        "rezsl": version("rezsl"),
        "torch": str(torch.__version__),
        "data": fingerprint(data),
        "backbone": {"class": type(classifier.backbone).__name__, **classifier.backbone.specification()},
        "network": {"class": type(classifier.network).__name__, **classifier.network.architecture()},
        "loss": str(recipe.loss),
        "loss_weight": recipe.loss_weight,
        "classification": str(recipe.classification),
        "scale": classifier.scale,
        "protocol": classifier.protocol,
        "optimization": asdict(recipe.optimization),
        "batches": asdict(recipe.batches),
        "augmentation": asdict(recipe.augmentation) if recipe.augmentation is not None else None,
        "max_epochs": recipe.max_epochs,
        "patience": patience,
        "seed": recipe.seed,
        "precision": recipe.precision,
    }


def open_run(path: str | Path, resume: bool, settings: dict[str, Any]) -> RunDirectory:
    """The run directory, with a record of the settings; a run is only resumed with the settings it began with.

    Raises:
        RunDirectoryError: the run began with other settings, or the directory does not allow it.
    """
    run = RunDirectory(path, resume)
    before = run.read_json(run.settings)
    if before is not None and before != settings:
        changed = [name for name in settings if settings[name] != before.get(name)]
        raise RunDirectoryError(
            f"run_dir: {run.path} was begun with other settings ({', '.join(changed)}); resume with the same ones, "
            f"or choose another directory"
        )
    run.write_json(run.settings, settings)
    return run

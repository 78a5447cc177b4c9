"""The record of everything that decides the outcome of a run."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, benchmark_fingerprint
from rezsl.training.training import Training


def settings_of(data: Benchmark, classifier: ZeroShotClassifier, training: Training) -> dict[str, Any]:
    """Everything that decides the outcome, as JSON."""
    return {
        "rezsl": version("rezsl"),
        "torch": str(torch.__version__),
        "data": benchmark_fingerprint(data),
        "backbone": {"class": type(classifier.backbone).__name__, "arguments": classifier.backbone.arguments},
        "network": {"class": type(classifier.network).__name__, "options": classifier.network.options},
        "loss": str(training.loss),
        "loss_weight": training.loss_weight,
        "classification": str(training.classification),
        "scale": classifier.scale,
        "protocol": classifier.protocol,
        "optimization": asdict(training.optimization),
        "batches": asdict(training.batches),
        "augmentation": asdict(training.augmentation) if training.augmentation is not None else None,
        "max_epochs": training.max_epochs,
        "patience": training.patience,
        "seed": training.seed,
        "precision": training.precision,
    }

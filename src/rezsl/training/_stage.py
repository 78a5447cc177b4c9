"""One stage of a training: what the loop needs of a benchmark, or the solution of a model in closed form."""

import time
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Int
from lightning_fabric import Fabric
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.evaluation import GZSLEvaluator
from rezsl.losses import Objective, RRTLoss
from rezsl.models import ClosedForm
from rezsl.regions import ImageBackbone
from rezsl.training._batch_loading import BatchesOf, load_batches
from rezsl.training._step import TrainingStep
from rezsl.training.callbacks import Callback, EpochRecord, Stage
from rezsl.training.loop import train
from rezsl.training.settings import Training

ROWS, VALIDATION_BATCH = 4096, 256

Validation = tuple[Int[Tensor, "K"], Int[Tensor, "L"]]
"""Held-out samples of training classes, and samples of validation classes."""


def train_stage(
    stage: Stage,
    benchmark: Benchmark,
    index: Int[Tensor, "N"],
    training: Training,
    validation: Validation | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
) -> None:
    """Train the stage's classifier in place, by gradient descent or in closed form.

    Args:
        stage: the name, the number of epochs, and a fresh classifier whose seen classes are those of ``index``.
        benchmark: inputs, labels and semantics.
        index: the samples to train on.
        training: how to train.
        validation: samples to validate on after each epoch.
        callbacks: called in this order.
        checkpoint: see :func:`rezsl.training.loop.train`.

    Raises:
        ArgumentError: model, loss, batches and data do not go together.
        KeyboardInterrupt: Ctrl-C; the classifier has the weights of that moment.
    """
    classifier, evaluator, held_out = stage.classifier, None, index[:0]
    if validation is not None:
        held_out, unseen = torch.cat(validation), benchmark.class_names(validation[1])
        score = partial(classifier.network.class_scores, scale=classifier.scale)
        candidates = (*classifier.seen_classes, *unseen)
        evaluator = GZSLEvaluator(benchmark.semantics, candidates, classifier.seen_classes, score)
    if isinstance(classifier.network, ClosedForm):
        _solve(stage, benchmark, index, held_out, evaluator, callbacks)
        return
    step = _training_step(classifier, benchmark, index, training)
    fabric = Fabric(accelerator=training.accelerator, devices=1, precision=training.precision)
    # Cropping somewhere else than in the middle is augmentation too.
    crop_seed = training.seed if training.augmentation is not None else None
    sampler = training.batches.sampler(index, benchmark.labels[index], training.seed)
    batches = BatchesOf(benchmark, classifier.input_format, crop_seed)
    loader = load_batches(batches, sampler, training.workers, fabric.device)
    batches = BatchesOf(benchmark, classifier.input_format)
    parts = [part.tolist() for part in held_out.split(VALIDATION_BATCH) if len(part)]
    held_out_loader = load_batches(batches, parts, training.workers, fabric.device)
    train(stage, step, loader, held_out_loader, evaluator, training, fabric, callbacks, checkpoint)


def _training_step(
    classifier: ZeroShotClassifier, benchmark: Benchmark, index: Tensor, training: Training
) -> TrainingStep:
    """Return the forward pass of training on some samples, whose classes alone the objective contains."""
    network, backbone, labels = classifier.network, classifier.backbone, benchmark.labels[index]
    micro, recompute = training.batches.micro, training.batches.recompute
    if micro and network.whole_batches:
        raise ArgumentError(
            f"batches.micro: expected 0 with {type(network).__name__}, which would count each part of a batch twice, "
            f"got {micro}; set it to 0"
        )
    if recompute and not isinstance(backbone, ImageBackbone):
        raise ArgumentError("batches.recompute: expected false without a backbone of images, got true; set it to false")
    if isinstance(training.loss, RRTLoss) and not network.readout_parts:
        raise ArgumentError(
            f"loss: RRTLoss trains a model's read-out anew, and {type(network).__name__} has none; choose another "
            f"loss, or give the model readout_parts"
        )
    # A copy, because the loss keeps errors and learns parameters that belong to one training.
    loss = deepcopy(training.loss)
    rows = labels.unique()
    semantics = benchmark.semantics.values[rows]
    if loss is not None:
        loss.prepare(semantics, training.batches.drawn(labels))
    network.prepare(semantics)
    augmentation = None
    if isinstance(backbone, ImageBackbone):
        backbone.recompute(recompute)
        augmentation = training.augmentation.build(backbone.channels) if training.augmentation is not None else None
    positions = torch.full((len(benchmark.semantics.classes),), -1)
    positions[rows] = torch.arange(len(rows))
    objective = Objective(
        semantics, loss, training.loss_weight, classifier.scale, training.classification, network.class_scores
    )
    return TrainingStep(classifier, objective, positions, augmentation, micro)


@torch.no_grad()
def _solve(
    stage: Stage,
    benchmark: Benchmark,
    index: Tensor,
    held_out: Tensor,
    evaluator: GZSLEvaluator | None,
    callbacks: Sequence[Callback],
) -> None:
    """Solve for the weights of a model in closed form, which counts as one epoch."""
    classifier, network, started = stage.classifier.eval(), stage.classifier.network, time.perf_counter()
    assert isinstance(network, ClosedForm)
    if benchmark.kind == "images":
        raise ArgumentError(
            f"model: {type(network).__name__} is solved for on features, which nothing trains here; expected features "
            f"or regions, got images; extract regions with a pretrained backbone first"
        )
    for callback in callbacks:
        callback.on_training_start(stage)
    rows = benchmark.labels[index].unique()
    positions = torch.searchsorted(rows, benchmark.labels[index])
    read = classifier.input_format.read
    batches = (
        (classifier.backbone(read(benchmark.inputs, part)), labels)
        for part, labels in zip(index.split(ROWS), positions.split(ROWS), strict=True)
    )
    network.solve(batches, benchmark.semantics.values[rows])
    validation = None
    if evaluator is not None:
        predictions = classifier.predict_semantics(benchmark.inputs, ROWS, held_out)
        for part, labels in zip(predictions.split(ROWS), benchmark.labels[held_out].split(ROWS), strict=True):
            evaluator.update(part, labels)
        validation = evaluator.result()
    stage.epoch = 1
    record = EpochRecord(1, time.perf_counter() - started, learning_rate=0.0, validation=validation)
    for callback in callbacks:
        callback.on_epoch_end(stage, record)
    for callback in callbacks:
        callback.on_training_end(stage)

"""Stages of models that are trained on features in a way of their own: closed forms, and generators of features."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, DivergenceError
from rezsl.evaluation import Evaluation, GZSLEvaluator
from rezsl.models import ClosedForm, HasOwnTraining, pool
from rezsl.training._step import seed_step
from rezsl.training.callbacks import Callback, EpochRecord, Stage
from rezsl.training.launching import launched
from rezsl.training.settings import Training

ROWS = 4096


def has_own_training(classifier: ZeroShotClassifier) -> bool:
    """Return whether :func:`train_on_features` trains the model, because losses and batches of others do not apply."""
    return isinstance(classifier.network, ClosedForm | HasOwnTraining)


def train_on_features(
    stage: Stage,
    benchmark: Benchmark,
    index: Int[Tensor, "N"],
    training: Training,
    held_out: Int[Tensor, "M"],
    unseen: Sequence[str] | None,
    callbacks: Sequence[Callback],
) -> None:
    """Train the stage's classifier in place; a closed form counts as one epoch.

    Of several processes each trains on all samples, in the same way.

    A loss that is no longer finite ends the stage, with the weights of the epoch before; see ``Stage.failure``.

    Args:
        stage: as for :func:`rezsl.training.train_stage`.
        benchmark: inputs, labels and semantics.
        index: the samples to train on.
        training: its seed, accelerator and ``max_epochs`` apply.
        held_out: the samples to validate on after each epoch.
        unseen: names of the validation classes among them; None validates nothing.
        callbacks: called in this order.

    Raises:
        ArgumentError: the inputs are images, or mixup is asked for.
        DivergenceError: a loss of the first epoch is not finite.
    """
    classifier = stage.classifier.eval()
    network = classifier.network
    _check_applicable(classifier, benchmark, training)
    for callback in callbacks:
        callback.on_training_start(stage)
    device = launched(training).device
    if isinstance(network, ClosedForm):
        epochs = _solved(network, classifier, benchmark, index)
    else:
        assert isinstance(network, HasOwnTraining)
        classifier.to(device)
        parts = [(pool(regions), labels) for regions, labels in _batches(classifier, benchmark, index)]
        features, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        semantics = benchmark.semantics.values[benchmark.labels[index].unique()].to(device)
        epochs = network.train_epochs(features, labels.to(device), semantics, training.max_epochs)
    try:
        _run(stage, epochs, benchmark, held_out, unseen, training, callbacks)
    finally:
        classifier.cpu().eval()
        for callback in callbacks:
            callback.on_training_end(stage)


def _run(
    stage: Stage,
    epochs: Iterator[Mapping[str, float]],
    benchmark: Benchmark,
    held_out: Int[Tensor, "M"],
    unseen: Sequence[str] | None,
    training: Training,
    callbacks: Sequence[Callback],
) -> None:
    """Train, validate and record epoch by epoch."""
    classifier, before = stage.classifier, dict[str, Tensor]()
    while stage.epoch < stage.epochs and not stage.stopped:
        started = time.perf_counter()
        for callback in callbacks:
            callback.on_epoch_start(stage)
        # The random numbers of an epoch do not depend on those that callbacks have drawn.
        seed_step(training.seed, stage.epoch, classifier.device)
        losses = next(epochs, None)
        if losses is None:
            return
        if wrong := [name for name, loss in losses.items() if not math.isfinite(loss)]:
            _end_early(stage, wrong[0], before)
            return
        before = {name: part.detach().clone() for name, part in classifier.network.state_dict().items()}
        stage.epoch += 1
        validation = _validate(classifier, benchmark, held_out, unseen)
        record = EpochRecord(stage.epoch, time.perf_counter() - started, 0.0, losses, validation)
        for callback in callbacks:
            callback.on_epoch_end(stage, record)


def _end_early(stage: Stage, loss: str, before: Mapping[str, Tensor]) -> None:
    """Restore the weights of the last epoch with finite losses, and record why the stage has ended."""
    name = type(stage.classifier.network).__name__
    if not before:
        raise DivergenceError(
            f"model: expected finite losses, but {loss} of {name} was not finite in the first epoch; lower its "
            f"learning rate (--model.learning_rate)"
        )
    stage.classifier.network.load_state_dict(dict(before))
    stage.classifier.network.failure = (
        f"{loss} of {name} was not finite in epoch {stage.epoch + 1}, so the training ended with the weights of epoch "
        f"{stage.epoch}"
    )
    stage.stop()


def _check_applicable(classifier: ZeroShotClassifier, benchmark: Benchmark, training: Training) -> None:
    name = type(classifier.network).__name__
    how = "solved for" if isinstance(classifier.network, ClosedForm) else "trained in a way of its own"
    if training.mixup not in ("auto", 0.0):
        raise ArgumentError(f"mixup: expected 0 with {name}, which is {how}, got {training.mixup}; set it to 0")
    if benchmark.kind == "images":
        raise ArgumentError(
            f"model: {name} is {how} on features, which nothing trains here; expected features or regions, got "
            f"images; extract regions with a pretrained backbone first"
        )


def _batches(
    classifier: ZeroShotClassifier, benchmark: Benchmark, index: Int[Tensor, "N"]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield regions, and labels that count the classes of these samples."""
    rows = benchmark.labels[index].unique()
    positions = torch.searchsorted(rows, benchmark.labels[index])
    read, device = classifier.input_format.read, classifier.device
    for part, labels in zip(index.split(ROWS), positions.split(ROWS), strict=True):
        yield classifier.backbone(read(benchmark.inputs, part).to(device)), labels


@torch.no_grad()
def _solved(
    network: ClosedForm, classifier: ZeroShotClassifier, benchmark: Benchmark, index: Int[Tensor, "N"]
) -> Iterator[Mapping[str, float]]:
    """Solve for the weights, which is one epoch without losses."""
    network.solve(_batches(classifier, benchmark, index), benchmark.semantics.values[benchmark.labels[index].unique()])
    yield {}


@torch.no_grad()
def _validate(
    classifier: ZeroShotClassifier, benchmark: Benchmark, held_out: Int[Tensor, "M"], unseen: Sequence[str] | None
) -> Evaluation | None:
    """Return the metrics on validation samples, at the γ that is best for them."""
    if unseen is None:
        return None
    seen = classifier.seen_classes
    evaluator = GZSLEvaluator.of(classifier, classifier.semantics, (*seen, *unseen), seen, merged=False)
    predictions, truth = classifier.examine(benchmark.inputs, ROWS, held_out)[0], benchmark.labels[held_out]
    for part, labels in zip(predictions.split(ROWS), truth.split(ROWS), strict=True):
        evaluator.update(part, labels)
    samples = evaluator.samples(predictions, truth, classifier.scale, ROWS)
    return replace(evaluator.result(), samples=samples)

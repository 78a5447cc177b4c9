"""One stage of a training: epochs of batches, from a fresh classifier to its averaged weights."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, ImageFormat
from rezsl.errors import DivergenceError, name_some
from rezsl.evaluation import Evaluation, GZSLEvaluator
from rezsl.losses import ObjectiveTerms, RRTLoss
from rezsl.processes import (
    average_buffers,
    average_gradients,
    copy_from_first,
    from_first,
    from_turns,
    process_count,
    process_rank,
)
from rezsl.regions import ImageBackbone
from rezsl.training._assembly import Batch, BatchesOf, load_batches
from rezsl.training._own_training import has_own_training, train_on_features
from rezsl.training._recording import read_checkpoint, restore_training, save_training
from rezsl.training._step import TrainingStep, prepare_epoch, seed_step
from rezsl.training.callbacks import Callback, EpochRecord, Stage
from rezsl.training.launching import launched
from rezsl.training.optimization import WeightAverage
from rezsl.training.settings import Training

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
    """Train the stage's classifier in place, by gradient descent, or in the way of its own that a model has.

    Args:
        stage: the name, the number of epochs, and a fresh classifier whose seen classes are those of ``index``.
        benchmark: inputs, labels and semantics.
        index: the samples to train on.
        training: how to train.
        validation: samples to validate on after each epoch.
        callbacks: called in this order.
        checkpoint: a file for the training state after each epoch; training continues from it where it exists. Of
            several processes the first one reads and writes it, for all.

    Raises:
        ArgumentError: model, loss, batches and data do not go together.
        RunDirectoryError: the checkpoint is damaged.
        DivergenceError: the loss of a step is not finite.
        KeyboardInterrupt: Ctrl-C; the classifier has the averaged weights of that moment.
    """
    classifier, held_out, unseen = stage.classifier, index[:0], None
    if validation is not None:
        held_out, unseen = torch.cat(validation), benchmark.class_names(validation[1])
    if has_own_training(classifier):
        train_on_features(stage, benchmark, index, training, held_out, unseen, callbacks)
        return
    fabric = launched(training)
    step = TrainingStep(classifier, benchmark, index, training)
    if training.sync_batchnorm:
        step = nn.SyncBatchNorm.convert_sync_batchnorm(step)
    input_format = training.framed(classifier.input_format)
    cuts = training.augmentation is not None and isinstance(input_format, ImageFormat) and input_format.cuts
    crop_seed = training.seed if cuts else None
    sampler = training.batches.sampler(index, benchmark.labels[index], training.seed)
    batches = BatchesOf(benchmark, input_format, crop_seed)
    loader = load_batches(batches, sampler, training.workers, fabric.device)
    batches = BatchesOf(benchmark, classifier.input_format)
    turns = held_out.split(classifier.input_format.batch)
    parts = [part.tolist() for part in turns if len(part)][process_rank() :: process_count()]
    held_out_loader = load_batches(batches, parts, training.workers, fabric.device)
    _train(stage, step, loader, held_out_loader, unseen, training, fabric, callbacks, checkpoint)


def _evaluator(model: nn.Module, unseen: Sequence[str] | None) -> GZSLEvaluator | None:
    """Return an evaluator of validation samples of seen classes and of the named unseen ones; None without any."""
    assert isinstance(model, ZeroShotClassifier)
    if unseen is None:
        return None
    return GZSLEvaluator.of(model, model.semantics, (*model.seen_classes, *unseen), model.seen_classes, merged=False)


def _train(
    stage: Stage,
    step: TrainingStep,
    batches: DataLoader[Batch],
    held_out: DataLoader[Batch],
    unseen: Sequence[str] | None,
    training: Training,
    fabric: Fabric,
    callbacks: Sequence[Callback],
    checkpoint: Path | None,
) -> None:
    fabric.to_device(step)
    copy_from_first(step)
    classifier, loss = step.classifier, step.objective.loss
    averaged = WeightAverage(classifier, training.optimization.averaging).eval()
    optimizer = training.optimization.build(
        step, classifier.network.parameters_of(classifier.network.slow_parts), classifier.backbone.parameters()
    )
    fabric_optimizer: Any = fabric.setup_optimizers(optimizer)
    # The scores may have weights of their own, which must be the averaged ones as well.
    evaluator = _evaluator(averaged.module, unseen)
    restart = loss.change(training.max_epochs) if isinstance(loss, RRTLoss) else None
    rate = training.optimization.factor(len(batches), training.max_epochs, restart)
    parts = {"step": step, "averaged": averaged, "optimizer": optimizer, "precision": fabric.strategy.precision}
    learning = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    try:
        known = checkpoint is not None and checkpoint.exists()
        state = from_first(
            read_checkpoint(checkpoint, ("stage", "callbacks", *parts)) if known and checkpoint else None
        )
        if state is not None:
            restore_training(state, stage, parts, callbacks)
        _set_learning_rate(optimizer, rate(stage.step))
        for callback in callbacks:
            callback.on_training_start(stage)
        while stage.epoch < stage.epochs and not stage.stopped:
            started = time.perf_counter()
            for callback in callbacks:
                callback.on_epoch_start(stage)
            prepare_epoch(stage, loss, training, optimizer, averaged)
            batches.sampler.set_epoch(stage.epoch)  # type: ignore[attr-defined] # a sampler of rezsl.data
            losses = _train_epoch(stage, step, batches, training, fabric, fabric_optimizer, averaged, rate)
            stage.epoch += 1
            average_buffers(step)
            average_buffers(averaged)
            record = EpochRecord(
                epoch=stage.epoch,
                losses=losses,
                learning_rate=optimizer.param_groups[0]["lr"],
                validation=_validate(averaged, held_out, evaluator, fabric, classifier) if evaluator else None,
                seconds=time.perf_counter() - started,
            )
            for callback in callbacks:
                callback.on_epoch_end(stage, record)
            stage.stopped = from_first(stage.stopped)
            if checkpoint is not None:
                save_training(checkpoint, stage, parts, callbacks)
    finally:
        _end(step, averaged, optimizer, learning)
        for callback in callbacks:
            callback.on_training_end(stage)


def _end(
    step: TrainingStep, averaged: WeightAverage, optimizer: torch.optim.Optimizer, learning: Sequence[nn.Parameter]
) -> None:
    """Give the classifier the averaged weights, without gradients, on the CPU, and let all parameters learn again."""
    classifier = step.classifier
    classifier.load_state_dict(averaged.module.state_dict())
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.freeze(False)
        classifier.backbone.recompute(False)
    for parameter in learning:
        parameter.requires_grad_(True)
    optimizer.zero_grad()
    step.cpu()


def _train_epoch(
    stage: Stage,
    step: TrainingStep,
    batches: DataLoader[Batch],
    training: Training,
    fabric: Fabric,
    optimizer: Any,
    averaged: WeightAverage,
    rate: Callable[[int], float],
) -> dict[str, float]:
    """Take a step for each batch of an epoch, and return the means of the objective's terms over its samples."""
    # Numbers stay on the device: reading one at every step would make a GPU finish its queue.
    sums = torch.zeros(len(ObjectiveTerms._fields), device=fabric.device)
    sizes: Sequence[int] = batches.sampler.sizes  # type: ignore[attr-defined] # a sampler of rezsl.data
    lost = torch.tensor(-1, device=fabric.device)
    for size, batch in zip(sizes, batches, strict=True):
        seed_step(training.seed, stage.step, fabric.device, process_rank())
        inputs, labels = fabric.to_device(batch)
        with fabric.autocast():
            terms = step(inputs, labels, size)
        stage.step += 1
        if fabric.device.type == "cpu" and not terms.total.isfinite():
            raise _diverged(stage, stage.step, terms, labels)
        lost = torch.where((lost < 0) & ~terms.total.isfinite(), stage.step, lost)
        optimizer.zero_grad()
        fabric.backward(terms.total)
        average_gradients(step.parameters())
        optimizer.step()
        averaged.update(step.classifier)
        _set_learning_rate(optimizer, rate(stage.step))
        sums += torch.stack(terms).detach() * size
    if int(lost) >= 0:
        raise _diverged(stage, int(lost), ObjectiveTerms(*sums))
    return dict(zip(ObjectiveTerms._fields, (sums / sum(sizes)).tolist(), strict=True))


def _diverged(stage: Stage, step: int, terms: ObjectiveTerms, labels: Tensor | None = None) -> DivergenceError:
    """Return an error that names the terms that are not finite and, where known, the classes of the batch."""
    wrong = [name for name, term in terms._asdict().items() if name != "total" and not term.isfinite()]
    names = [stage.classifier.semantics.classes[row] for row in labels.unique().tolist()] if labels is not None else []
    batch = f", in a batch of {name_some(names)}" if names else ""
    return DivergenceError(
        f"loss: expected a finite number, got {terms.total.item()} ({', '.join(wrong) or 'total'}) at step {step} of "
        f"stage {stage.name}{batch}; check these inputs and their semantics for huge numbers, or lower "
        f"--optimization.learning-rate"
    )


@torch.no_grad()
def _validate(
    averaged: nn.Module,
    held_out: DataLoader[Batch],
    evaluator: GZSLEvaluator,
    fabric: Fabric,
    classifier: ZeroShotClassifier,
) -> Evaluation:
    """Return the metrics of a classifier with its averaged weights on validation samples, at the γ that is best there.

    Of several processes each predicts its share, and all of them compute the same metrics of all samples.
    """
    evaluator.reset()
    predicted, truth = list[Tensor](), list[Tensor]()
    for inputs, labels in held_out:
        with fabric.autocast():
            predicted.append(averaged(fabric.to_device(inputs)).float())
        truth.append(labels)
    # The evaluator sums in float64 on the CPU, because not every accelerator has float64.
    own = (torch.cat(part).cpu() if part else torch.empty(0) for part in (predicted, truth))
    size = classifier.input_format.batch
    predictions, rows = (from_turns(part, size) for part in own)
    for part, labels in zip(predictions.split(size), rows.split(size), strict=True):
        evaluator.update(part, labels)
    samples = evaluator.samples(predictions, rows, classifier.scale, size)
    return replace(evaluator.result(), samples=samples)


def _set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group of parameters to a multiple of its highest one."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor

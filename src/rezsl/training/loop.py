"""The training loop: from a fresh classifier over epochs of batches to its averaged weights."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from rezsl.evaluation import Evaluation, GZSLEvaluator
from rezsl.losses import ObjectiveTerms, RRTLoss
from rezsl.training._batch_loading import Batch
from rezsl.training._checkpoints import restore_training, save_training
from rezsl.training._freezing import prepare_epoch, release_all
from rezsl.training._step import TrainingStep, seed_step
from rezsl.training.callbacks import Callback, EpochRecord, Stage
from rezsl.training.optimization import WeightAverage
from rezsl.training.settings import Training


def train(
    stage: Stage,
    step: TrainingStep,
    batches: DataLoader[Batch],
    held_out: DataLoader[Batch],
    evaluator: GZSLEvaluator | None,
    training: Training,
    fabric: Fabric,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
) -> None:
    """Train ``step.classifier`` in place; however training ends, it has the averaged weights of that moment.

    Args:
        stage: the name and the number of epochs.
        step: the forward pass; its classifier and, where a loss learns parameters, its objective are trained.
        batches: the training batches, which their sampler draws anew for each epoch.
        held_out: the validation batches.
        evaluator: scores the validation samples after each epoch; None trains without validation.
        training: the optimization and the seed; the schedule is laid over its ``max_epochs``.
        fabric: the device and the precision.
        callbacks: called in this order.
        checkpoint: a file for the training state after each epoch; training continues from it where it exists.

    Raises:
        RunDirectoryError: the checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C.
    """
    fabric.launch()
    fabric.to_device(step)
    classifier, loss = step.classifier, step.objective.loss
    averaged = WeightAverage(classifier, training.optimization.averaging).eval()
    optimizer = training.optimization.build(
        step, classifier.network.parameters_of(classifier.network.slow_parts), classifier.backbone.parameters()
    )
    fabric_optimizer: Any = fabric.setup_optimizers(optimizer)
    restart = loss.change(training.max_epochs) if isinstance(loss, RRTLoss) else None
    rate = training.optimization.factor(len(batches), training.max_epochs, restart)
    parts = {"step": step, "averaged": averaged, "optimizer": optimizer, "precision": fabric.strategy.precision}
    frozen: list[nn.Parameter] = []
    try:
        if checkpoint is not None and checkpoint.exists():
            restore_training(checkpoint, stage, parts, callbacks)
        set_learning_rate(optimizer, rate(stage.step))
        for callback in callbacks:
            callback.on_training_start(stage)
        while stage.epoch < stage.epochs and not stage.stopped:
            started = time.perf_counter()
            for callback in callbacks:
                callback.on_epoch_start(stage)
            frozen += prepare_epoch(classifier, loss, training, stage.epoch, stage.step, optimizer, averaged)
            sums, count = torch.zeros(len(ObjectiveTerms._fields), device=fabric.device), 0
            batches.sampler.set_epoch(stage.epoch)  # type: ignore[attr-defined] # a sampler of rezsl.data
            for batch in batches:
                seed_step(training.seed, stage.step, fabric.device)
                inputs, labels = fabric.to_device(batch)
                with fabric.autocast():
                    terms = step(inputs, labels)
                optimizer.zero_grad()
                fabric.backward(terms.total)
                fabric_optimizer.step()
                averaged.update(classifier)
                stage.step += 1
                set_learning_rate(optimizer, rate(stage.step))
                # Sums stay on the device: reading a number at every step would make a GPU finish its queue.
                sums += torch.stack(terms).detach() * len(labels)
                count += len(labels)
            stage.epoch += 1
            record = EpochRecord(
                epoch=stage.epoch,
                losses=dict(zip(ObjectiveTerms._fields, (sums / count).tolist(), strict=True)),
                learning_rate=optimizer.param_groups[0]["lr"],
                validation=validate(averaged, held_out, evaluator, fabric) if evaluator is not None else None,
                seconds=time.perf_counter() - started,
            )
            for callback in callbacks:
                callback.on_epoch_end(stage, record)
            if checkpoint is not None:
                save_training(checkpoint, stage, parts, callbacks)
    finally:
        classifier.load_state_dict(averaged.module.state_dict())
        release_all(classifier, frozen)
        optimizer.zero_grad()
        step.cpu()
        for callback in callbacks:
            callback.on_training_end(stage)


@torch.no_grad()
def validate(model: nn.Module, held_out: DataLoader[Batch], evaluator: GZSLEvaluator, fabric: Fabric) -> Evaluation:
    """Return the metrics of a model on validation samples, at the γ that is best for them."""
    evaluator.reset()
    for inputs, labels in held_out:
        with fabric.autocast():
            predictions = model(fabric.to_device(inputs))
        # The evaluator sums in float64 on the CPU, because not every accelerator has float64.
        evaluator.update(predictions.float().cpu(), labels)
    return evaluator.result()


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group of parameters to a multiple of its highest one."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor

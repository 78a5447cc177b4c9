"""One stage of training: a fresh classifier, trained on some images of a benchmark, perhaps validated on others."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from jaxtyping import Int
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.losses import Objective
from rezsl.models import ClosedForm
from rezsl.regions import ImageBackbone
from rezsl.training.callbacks import BestEpoch, EpochBar, History, LatestCheckpoint
from rezsl.training.checkpoints import SafeCheckpointIO
from rezsl.training.datamodule import StageData
from rezsl.training.error_history import ErrorHistory
from rezsl.training.module import ZeroShotModule
from rezsl.training.run_directory import RunDirectory
from rezsl.training.solving import evaluator_of, solve_stage
from rezsl.training.training import Training


def train_stage(
    name: str,
    classifier: ZeroShotClassifier,
    benchmark: Benchmark,
    train_index: Int[Tensor, "N"],
    epochs: int,
    training: Training,
    validation: tuple[Int[Tensor, "K"], Int[Tensor, "L"]] | None,
    best: BestEpoch | None,
    run: RunDirectory | None,
    console: Console,
) -> None:
    """Train a classifier in place.

    Args:
        name: of the stage, in files and on the screen.
        classifier: fresh, with the classes of ``train_index`` as seen ones; at the end it has the averaged weights.
        benchmark: where images, labels and semantics come from.
        train_index: images to train on.
        epochs: how many to train for at the most; the schedule is laid over ``training.max_epochs``.
        training: how to train.
        validation: held-out images of the training classes and images of validation classes, or None.
        best: chooses by the validation, where there is one.
        run: where to keep history, logs and the latest training state; None keeps nothing. A training state of this
            stage that is already there is continued.
        console: where the progress bar is drawn.

    Raises:
        KeyboardInterrupt: Ctrl-C; the classifier has the weights of that moment.
    """
    if isinstance(classifier.network, ClosedForm):
        solve_stage(classifier, benchmark, train_index, validation, best)
        return
    module, data = _assemble(classifier, benchmark, train_index, training, validation)
    callbacks: list[Callback] = [*([best] if best is not None else []), EpochBar(name, console, classifier.protocol)]
    if run is not None:
        callbacks += [ErrorHistory(run.validation_errors)] if validation is not None else []
        callbacks += [History(run.history, name, classifier.protocol), LatestCheckpoint(run.checkpoint(name))]
    resumed = run is not None and run.checkpoint(name).exists()
    with _quiet():
        trainer = Trainer(
            max_epochs=epochs,
            accelerator=training.accelerator,
            devices=1,
            precision=training.precision,  # type: ignore[arg-type] # Lightning's own check names the allowed ones
            callbacks=callbacks,
            logger=TensorBoardLogger(run.path, name=run.tensorboard.name, version=name) if run is not None else False,
            plugins=[SafeCheckpointIO()],
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if validation is not None else 0,
            use_distributed_sampler=False,
        )
        with _interruptible(trainer, module):
            trainer.fit(
                module, datamodule=data, ckpt_path=str(run.checkpoint(name)) if run is not None and resumed else None
            )


def _assemble(
    classifier: ZeroShotClassifier,
    benchmark: Benchmark,
    train_index: Tensor,
    training: Training,
    validation: tuple[Tensor, Tensor] | None,
) -> tuple[ZeroShotModule, StageData]:
    semantics, labels = benchmark.semantics, benchmark.labels
    rows = labels[train_index].unique()
    held_out = torch.cat(validation) if validation is not None else train_index[:0]
    # A copy: the loss's memory of errors belongs to one training.
    loss = deepcopy(training.loss)
    if loss is not None:
        loss.prepare(semantics.values[rows], training.batches.drawn(labels[train_index]))
    backbone, augmentation = classifier.backbone, None
    if training.augmentation is not None and isinstance(backbone, ImageBackbone):
        augmentation = training.augmentation.build(backbone.channels)
    module = ZeroShotModule(
        classifier=classifier,
        objective=Objective(
            semantics.values[rows],
            loss,
            training.loss_weight,
            classifier.scale,
            training.classification,
            classifier.network.class_scores,
        ),
        training_rows=rows,
        optimization=training.optimization,
        augmentation=augmentation,
        evaluator=evaluator_of(classifier, benchmark, validation[1]) if validation is not None else None,
        max_epochs=training.max_epochs,
        micro=training.batches.micro,
        recompute=training.batches.recompute,
        seed=training.seed,
    )
    sampler = training.batches.sampler(train_index, labels[train_index], training.seed)
    # Cropping somewhere is augmentation too.
    crop_seed = training.seed if training.augmentation is not None else None
    return module, StageData(benchmark, classifier.input_format, sampler, held_out, training.workers, crop_seed)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's notes on hardware and workers: rezsl reports what it does itself."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _interruptible(trainer: Trainer, module: ZeroShotModule) -> Iterator[None]:
    """Leave the averaged weights in the classifier, however training ends.

    Lightning turns Ctrl-C into ``sys.exit`` and disables further ones; this makes it what Python does again.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main_thread else None
    try:
        yield
    except SystemExit as stopped:
        if trainer.interrupted:
            raise KeyboardInterrupt from stopped
        raise
    finally:
        module.classifier.load_state_dict(module.averaged.module.state_dict())
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)

"""One stage of training as Lightning sees it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rezsl.classifier import ZeroShotClassifier
from rezsl.errors import ArgumentError
from rezsl.evaluation import Evaluation, GZSLEvaluator
from rezsl.functional.shapes import Scalar
from rezsl.losses import Objective, RRTLoss
from rezsl.regions import ImageBackbone
from rezsl.training.optimization import Optimization
from rezsl.training.parts import forward_in_parts
from rezsl.training.retraining import check_readout, freeze_all_but_readout, restart_readout


class ZeroShotModule(LightningModule):
    """Trains a classifier, and validates it where there is something to validate on.

    Args:
        classifier: what is trained.
        objective: over the classes of this stage.
        training_rows: rows of the semantics table that those classes are, ``[K]``, in the objective's order.
        optimization: optimizer and schedule.
        augmentation: changes training images in ``[0, 1]``; None for features, or to leave images as they are.
        evaluator: scores the validation samples; None in a stage without validation.
        max_epochs: what the schedule is laid over.
        micro: samples that go through the network at a time, 0 for the whole batch.
        recompute: keep only what passes between the blocks of the image backbone.
        seed: fixes dropout and augmentation, step by step, so that a resumed run goes on as if it had not stopped.

    Raises:
        ArgumentError: the model, the loss, ``micro`` and ``recompute`` do not go together.
    """

    training_position: Tensor

    def __init__(
        self,
        classifier: ZeroShotClassifier,
        objective: Objective,
        training_rows: Int[Tensor, "K"],
        optimization: Optimization,
        augmentation: nn.Module | None,
        evaluator: GZSLEvaluator | None,
        max_epochs: int,
        micro: int,
        recompute: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.classifier, self.objective, self.optimization = classifier, objective, optimization
        self.augmentation = augmentation
        # In a list, so that it stays on the CPU: its sums are float64, which not every accelerator has.
        self.evaluators = [evaluator] if evaluator is not None else []
        self.max_epochs, self.micro, self.seed = max_epochs, micro, seed
        position = torch.full((len(classifier.semantics.classes),), -1)
        position[training_rows] = torch.arange(len(training_rows))
        self.register_buffer("training_position", position, persistent=False)
        _spare_memory(classifier, micro, recompute)
        # The loss of two stages, if it is one.
        self.retraining = objective.loss if isinstance(objective.loss, RRTLoss) else None
        if self.retraining is not None:
            check_readout(classifier.network)
        self.frozen: list[nn.Parameter] = []
        classifier.network.prepare(objective.class_semantics)
        self.averaged = optimization.average(classifier)
        self.validation: Evaluation | None = None

    def training_step(self, batch: Sequence[Tensor], batch_index: int) -> Scalar:
        """The objective of a batch of inputs and rows of the semantics table."""
        inputs, labels = batch
        self._seed_step()
        if inputs.dtype == torch.uint8:
            inputs = inputs.float() / 255
            if self.augmentation is not None:
                with torch.no_grad():
                    inputs = self.augmentation(inputs)
        positions = self.training_position[labels]
        target = self.objective.class_semantics[positions]
        prediction, penalty = forward_in_parts(
            self.classifier.training_forward, self.classifier, (inputs, target), self.micro
        )
        # Cosines times 20 in half precision move in steps of 0.1: mixed precision ends before the objective.
        with torch.autocast(self.device.type, enabled=False):
            terms = self.objective(prediction.float(), positions, penalty.float())
        logged = {f"train/{name}": term.detach() for name, term in terms._asdict().items()}
        self.log_dict(logged, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True)
        total: Tensor = terms.total
        return total

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, and take the new weights into their average."""
        super().optimizer_step(*args, **kwargs)
        self.averaged.update(self.classifier)

    def on_train_epoch_start(self) -> None:
        """Freeze the backbone, or let it learn from now on; at its time, train the read-out alone."""
        frozen = self.optimization.frozen_epochs
        if isinstance(self.classifier.backbone, ImageBackbone):
            self.classifier.backbone.freeze(frozen < 0 or self.current_epoch < frozen)
        self.classifier.network.start_epoch()
        if self.retraining is None:
            return
        self.retraining.start_epoch(self.current_epoch, self.max_epochs)
        if self.retraining.retraining:
            self.frozen += freeze_all_but_readout(self.classifier)
            if self.current_epoch == self.retraining.change(self.max_epochs):
                self._seed_step()
                restart_readout(self.classifier.network, self.trainer.optimizers[0], self.averaged)

    def on_fit_end(self) -> None:
        """Leave a model whose every part can learn in further training."""
        for parameter in self.frozen:
            parameter.requires_grad_(True)
        if isinstance(self.classifier.backbone, ImageBackbone):
            self.classifier.backbone.freeze(False)
            self.classifier.backbone.recompute(False)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        for evaluator in self.evaluators:
            evaluator.reset()

    def validation_step(self, batch: Sequence[Tensor], batch_index: int) -> None:
        """Score a batch of validation samples, with the averaged weights."""
        inputs, labels = batch
        predictions = self.averaged(inputs).float().cpu()
        with torch.autocast(self.device.type, enabled=False):
            for evaluator in self.evaluators:
                evaluator.update(predictions, labels.cpu())

    def on_validation_epoch_end(self) -> None:
        """All figures of this epoch's validation; its γ is the best on the validation samples."""
        (evaluator,) = self.evaluators
        self.validation = evaluator.result()
        figures = {f"val/{name}": float(value) for name, value in self.validation.metrics().items()}
        self.log_dict(figures, rank_zero_only=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Optimizer, and a schedule that steps with every batch."""
        # Of the objective too: some losses learn their noise.
        learning = nn.ModuleList([self.classifier, self.objective])
        optimizer = self.optimization.build(
            learning, self.classifier.network.slow_parameters(), self.classifier.backbone.parameters()
        )
        steps = int(self.trainer.estimated_stepping_batches) // (self.trainer.max_epochs or 1)
        schedule = LambdaLR(optimizer, self._factor(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _factor(self, steps: int) -> Callable[[int], float]:
        """The schedule; a training in two stages has one for each."""
        if self.retraining is None:
            return self.optimization.factor(steps, self.max_epochs)
        change = self.retraining.change(self.max_epochs)
        first = self.optimization.factor(steps, change)
        second = self.optimization.factor(steps, self.max_epochs - change)
        return lambda step: first(step) if step < change * steps else second(step - change * steps)

    def _seed_step(self) -> None:
        # Every step has its own random numbers, whatever drew some before it: a resumed run repeats them.
        torch.manual_seed((self.seed * 1_000_000_007 + self.global_step) % 2**63)


def _spare_memory(classifier: ZeroShotClassifier, micro: int, recompute: bool) -> None:
    if micro and classifier.network.whole_batches:
        raise ArgumentError(
            f"batches.micro: expected 0 with {type(classifier.network).__name__}, which would count each part of a "
            f"batch twice, got {micro}; set it to 0"
        )
    if recompute and not isinstance(classifier.backbone, ImageBackbone):
        raise ArgumentError(
            "batches.recompute: expected false without a backbone of images, whose blocks it is about, got true"
        )
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.recompute(recompute)

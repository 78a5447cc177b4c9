"""One stage of training as Lightning sees it."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rezsl.backbones import ImageBackbone
from rezsl.classifier import ZeroShotClassifier
from rezsl.evaluation import GZSLEvaluator, GZSLResult
from rezsl.losses import Objective
from rezsl.training.optimization import Optimization
from rezsl.training.parts import forward_in_parts
from rezsl.typing import Scalar


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
        seed: fixes dropout and augmentation, step by step, so that a resumed run goes on as if it had not stopped.
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
        self.averaged = optimization.average(classifier)
        self.validation: GZSLResult | None = None

    def training_step(self, batch: Sequence[Tensor], batch_index: int) -> Scalar:
        """The objective of a batch of inputs and rows of the semantics table."""
        inputs, labels = batch
        # Every step has its own random numbers, whatever drew some before it: a resumed run repeats them.
        torch.manual_seed((self.seed * 1_000_000_007 + self.global_step) % 2**63)
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
        """Freeze the backbone, or let it learn from now on."""
        frozen = self.optimization.frozen_epochs
        if isinstance(self.classifier.backbone, ImageBackbone):
            self.classifier.backbone.freeze(frozen < 0 or self.current_epoch < frozen)

    def on_fit_end(self) -> None:
        """Leave a backbone that can learn in further training."""
        if isinstance(self.classifier.backbone, ImageBackbone):
            self.classifier.backbone.freeze(False)

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
        figures = {f"val/{name}": float(value) for name, value in self.validation.figures().items()}
        self.log_dict(figures, rank_zero_only=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Optimizer, and a schedule that steps with every batch."""
        # Of the objective too: some losses learn their noise.
        learning = nn.ModuleList([self.classifier, self.objective])
        optimizer = self.optimization.build(
            learning, self.classifier.network.slow_parameters(), self.classifier.backbone.parameters()
        )
        steps = int(self.trainer.estimated_stepping_batches) // (self.trainer.max_epochs or 1)
        schedule = LambdaLR(optimizer, self.optimization.factor(steps, self.max_epochs))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

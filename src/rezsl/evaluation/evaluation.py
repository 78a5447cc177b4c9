"""The protocol's scoring: predicted semantics in, :class:`Evaluation` out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import DataError, name_some
from rezsl.functional import CurvePoint, Imbalance, SeenUnseenCurve, imbalance, l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Protocol, Scores
from rezsl.metrics import ClassError, MeanClassAccuracy, SeenUnseen, read_metrics
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All figures of one set of weights on one set of images. Accuracies are class-averaged, in ``[0, 1]``.

    Without images of seen classes, T1 and U are known, and S, H and the area are NaN.

    Attributes:
        t1: accuracy of unseen images among the unseen classes only.
        point: S, U and H among all classes at the γ that was chosen on validation classes.
        oracle: the same at the γ that is best on these very images. Published tables report this one; it is
            optimistic, since it looks at the test classes.
        curve: the whole seen-unseen curve, with its area ``curve.ausuc``.
        classes: names of the classes that occurred.
        class_accuracy: accuracy of each of them at ``point``, ``[K]``.
        unseen_class_accuracy: the terms of T1, by class name.
        error_matrix: mean squared error between the directions (rows of length 1) of predicted and true semantics,
            per class and semantic, ``[K, S]``.
        class_semantics: the true directions, ``[K, S]``.
        attributes: S names.
        is_seen: which of the K classes are seen.
        protocol: ``oracle`` if epoch and γ were chosen on these very images.
    """

    t1: float
    point: CurvePoint
    oracle: CurvePoint
    curve: SeenUnseenCurve
    classes: tuple[str, ...]
    class_accuracy: Float[Tensor, "K"]
    unseen_class_accuracy: dict[str, float]
    error_matrix: Float[Tensor, "K S"]
    class_semantics: Float[Tensor, "K S"]
    attributes: tuple[str, ...]
    is_seen: tuple[bool, ...]
    protocol: Protocol = "honest"

    @property
    def has_seen(self) -> bool:
        """Whether there were images of seen classes, without which S, H and the area are NaN."""
        return any(self.is_seen)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to bear in mind when reading these figures, one sentence each."""
        notes = []
        if sum(not seen for seen in self.is_seen) == 1:
            notes.append("there are test images of one unseen class, so T1 is 100 % by construction")
        if not self.has_seen:
            notes.append("there are no test images of seen classes, so S, H and AUSUC are not known")
        return tuple(notes)

    @property
    def ausuc(self) -> float:
        """Area under the seen-unseen curve."""
        return self.curve.ausuc

    @cached_property
    def imbalance(self) -> Imbalance:
        """How unevenly the semantics are predicted, over the classes that occurred."""
        return imbalance(self.error_matrix, self.class_semantics)

    @property
    def harmonic_mean_error(self) -> float:
        """Standard error of H at ``point``, over classes: how far another draw of classes might have moved it.

        First order: Var H = (∂H/∂S)² Var S + (∂H/∂U)² Var U, with the variance of the class accuracies of each side
        over their number; a side of one class counts as certain.
        """
        seen, unseen = self.point.seen, self.point.unseen
        if seen + unseen == 0:
            return 0.0
        is_seen = torch.tensor(self.is_seen)
        variance = 0.0
        for mask, other in ((is_seen, unseen), (~is_seen, seen)):
            accuracies = self.class_accuracy[mask]
            if len(accuracies) > 1:
                slope = 2 * other**2 / (seen + unseen) ** 2
                variance += slope**2 * float(accuracies.var()) / len(accuracies)
        return math.sqrt(variance)

    def metrics(self) -> dict[str, float]:
        """Return every metric of :data:`rezsl.metrics.METRICS` that an evaluation has, by name."""
        return read_metrics(self, "evaluation")

    def to_dict(self) -> dict[str, Any]:
        """Everything but the curve and the matrices, as JSON values (an undefined figure is None)."""
        figures = {name: None if math.isnan(value) else value for name, value in self.metrics().items()}
        accuracy = dict(zip(self.classes, self.class_accuracy.tolist(), strict=True))
        return {
            "protocol": self.protocol,
            **figures,
            "class_accuracy": accuracy,
            "unseen_class_accuracy": self.unseen_class_accuracy,
        }


class GZSLEvaluator(nn.Module):
    """Collects predicted semantics batch by batch and scores them among the candidate classes.

    Args:
        semantics: the table that labels count in.
        seen: names of the seen candidate classes.
        unseen: names of the unseen ones.
        score: from predictions ``[B, S]`` and class semantics ``[C, S]`` to class scores ``[B, C]``.
    """

    values: Tensor
    directions: Tensor
    position: Tensor

    def __init__(
        self,
        semantics: ClassSemantics,
        seen: Sequence[str],
        unseen: Sequence[str],
        score: Callable[[Predictions, ClassMatrix], Scores],
    ) -> None:
        super().__init__()
        self.classes, self.attributes, self.score = (*seen, *unseen), semantics.attributes, score
        rows = semantics.index(self.classes)
        is_seen = torch.arange(len(rows)) < len(seen)
        position = torch.full((len(semantics.classes),), -1)
        position[rows] = torch.arange(len(rows))
        self.register_buffer("values", semantics.values[rows], persistent=False)
        self.register_buffer("directions", l2_normalize(semantics.values[rows]), persistent=False)
        self.register_buffer("position", position, persistent=False)
        self.seen_unseen = SeenUnseen(is_seen)
        self.t1 = MeanClassAccuracy(len(rows))
        self.class_error = ClassError(len(rows), len(semantics.attributes))

    def update(self, predictions: Predictions, labels: Labels) -> None:
        """Add predicted semantics ``[B, S]`` of samples whose classes are rows ``labels [B]`` of the table."""
        labels = self.position[labels]
        if bool((labels < 0).any()):
            raise DataError("labels: a sample belongs to none of the candidate classes")
        scores = self.score(predictions, self.values)
        self.seen_unseen.update(scores, labels)
        self.class_error.update((l2_normalize(predictions) - self.directions[labels]).square(), labels)
        is_seen = self.seen_unseen.is_seen
        of_unseen = ~is_seen[labels]
        if bool(of_unseen.any()):
            among_unseen = scores[of_unseen].masked_fill(is_seen, -torch.inf)
            self.t1.update(among_unseen.argmax(dim=1), labels[of_unseen])

    def result(self, gamma: float | None = None) -> Evaluation:
        """The figures of everything added so far; without a γ the best one on these samples is taken."""
        curve = self.seen_unseen.compute()
        matrix, present = self.class_error.compute()
        oracle = curve.best()
        point = oracle if gamma is None else curve.at(gamma)
        t1_terms = self.t1.per_class()
        is_seen = self.seen_unseen.is_seen
        names = [self.classes[row] for row in present.tolist()]
        return Evaluation(
            t1=float(self.t1.compute()),
            point=point,
            oracle=oracle,
            curve=curve,
            classes=tuple(names),
            class_accuracy=self.seen_unseen.class_accuracies(point.gamma)[present].cpu(),
            unseen_class_accuracy={
                self.classes[row]: float(t1_terms[row]) for row in present.tolist() if not is_seen[row]
            },
            error_matrix=matrix.cpu(),
            class_semantics=self.directions[present].double().cpu(),
            attributes=self.attributes,
            is_seen=tuple(is_seen[present].tolist()),
        )

    def reset(self) -> None:
        """Forget everything added so far."""
        for metric in (self.seen_unseen, self.t1, self.class_error):
            metric.reset()


@torch.inference_mode()
def evaluate(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    seen_index: Int[Tensor, "N"] | None = None,
    unseen_index: Int[Tensor, "M"] | None = None,
    batch_size: int = 256,
) -> Evaluation:
    """Score a model on a benchmark's test images, at the model's own γ.

    Without images of seen classes T1 and U can still be told; S, H and the area are NaN.

    Args:
        model: a trained classifier.
        benchmark: its classes and attributes are joined with the model's by name.
        seen_index: images of seen classes to use instead of ``split.test_seen``.
        unseen_index: images of unseen classes to use instead of ``split.test_unseen``.
        batch_size: images per forward pass.

    Raises:
        DataError: there are no images of unseen classes to test on, attributes differ, or a class that should be unseen
            was trained on.
    """
    seen_index = benchmark.split.test_seen if seen_index is None else seen_index
    unseen_index = benchmark.split.test_unseen if unseen_index is None else unseen_index
    semantics = model.semantics.with_classes_of(benchmark.semantics)
    unseen = benchmark.class_names(unseen_index)
    if not unseen:
        raise DataError(f"split.test_unseen: {benchmark.name} has no such images, so there is nothing to test on")
    if trained := [name for name in unseen if name in model.seen_classes]:
        raise DataError(f"split.test_unseen: the model was trained on {name_some(trained)}; not unseen to it")
    if foreign := [name for name in benchmark.class_names(seen_index) if name not in model.seen_classes]:
        raise DataError(f"split.test_seen: the model was not trained on {name_some(foreign)}; not seen by it")
    seen = [name for name in model.seen_classes if name in semantics.classes]
    evaluator = GZSLEvaluator(semantics, seen, unseen, partial(model.network.class_scores, scale=model.scale))
    index = torch.cat([seen_index, unseen_index])
    predictions = model.predict_semantics(benchmark.inputs, batch_size, index)
    # Scored in slices as well: a score per image and class takes more memory than the predictions.
    for part, rows in zip(predictions.split(batch_size), index.split(batch_size), strict=True):
        evaluator.update(part, benchmark.labels[rows])
    return replace(evaluator.result(model.gamma), protocol=model.protocol)

"""Scoring: predicted attributes become an :class:`Evaluation`."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, Crop
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.evaluation._evaluation import Evaluation, PredictedSamples
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassVectors, Labels, Outputs, Predictions, Scores
from rezsl.metrics import ClassError, SeenUnseen
from rezsl.processes import from_turns, process_count, process_rank
from rezsl.semantics import ClassSemantics

INDIRECT = (
    "the model predicts no attributes, so that it has no errors of them; analyses take the attributes that its scores "
    "of the seen classes let expect"
)


def unchanged(outputs: Outputs) -> Predictions:
    """Return the outputs of a model that predicts attributes."""
    return outputs


def _never() -> bool:
    return False


class GZSLEvaluator(nn.Module):
    """Collect a model's outputs batch by batch, in any order and over several processes, and evaluate them.

    Args:
        semantics: the table in whose rows labels count.
        candidates: names of the C candidate classes.
        seen: names of those that are seen.
        score: computes class scores ``[B, C]`` from outputs ``[B, E]`` and vectors of the classes ``[C, V]``.
        dtype: of the true directions with which predicted attributes are compared.
        attributes_of: computes predicted attributes ``[B, S]`` from outputs; by default these are the attributes.
        class_vectors: the vectors of the candidates, ``[C, V]``; None takes their class semantics.
        derived: whether attributes are derived from class scores, because the model predicts none.
        merged: whether the result is that of the samples of all processes, each of which adds others; false where each
            process adds all of them.
    """

    values: Tensor
    vectors: Tensor
    directions: Tensor
    position: Tensor

    def __init__(
        self,
        semantics: ClassSemantics,
        candidates: Sequence[str],
        seen: Collection[str],
        score: Callable[[Outputs, ClassVectors], Scores],
        dtype: torch.dtype = torch.float32,
        attributes_of: Callable[[Outputs], Predictions] = unchanged,
        class_vectors: ClassVectors | None = None,
        derived: bool = False,
        merged: bool = True,
    ) -> None:
        super().__init__()
        self.classes, self.attributes, self.groups = tuple(candidates), semantics.attributes, semantics.groups
        self.score, self.attributes_of, self.derived = score, attributes_of, derived
        rows = semantics.index(self.classes)
        position = torch.full((len(semantics.classes),), -1)
        position[rows] = torch.arange(len(rows))
        values = semantics.values[rows]
        self.register_buffer("values", values, persistent=False)
        self.register_buffer("vectors", values if class_vectors is None else class_vectors.cpu(), persistent=False)
        self.register_buffer("directions", l2_normalize(semantics.values[rows].to(dtype)), persistent=False)
        self.register_buffer("position", position, persistent=False)
        known = set(seen)
        self.seen_unseen = SeenUnseen(torch.tensor([name in known for name in self.classes]))
        self.class_error = ClassError(len(rows), len(semantics.attributes))
        if not merged:
            self.seen_unseen.distributed_available_fn = self.class_error.distributed_available_fn = _never

    @classmethod
    def of(
        cls,
        model: ZeroShotClassifier,
        table: ClassSemantics,
        candidates: Sequence[str],
        seen: Collection[str],
        merged: bool = True,
    ) -> "GZSLEvaluator":
        """Return an evaluator of a model's outputs; the other arguments are those of the class."""
        vectors = model.class_directions(model.class_vectors(table.only(candidates)))
        return cls(
            table,
            candidates,
            seen,
            model.scores_along,
            attributes_of=model.attributes_of,
            class_vectors=vectors,
            derived=not model.network.predicts_attributes,
            merged=merged,
        )

    def update(self, predictions: Outputs, labels: Labels, scores: Scores | None = None) -> None:
        """Add samples by the model's outputs ``[B, E]`` and their rows of the table ``[B]``.

        ``scores`` are class scores ``[B, C]`` from which γ is not subtracted; None computes them. A sample of none of
        the candidate classes is a :class:`DataError`.
        """
        labels = self.position[labels]
        if bool((labels < 0).any()):
            raise DataError(
                "labels: a sample belongs to none of the candidate classes"
                "; leave it out, or add its class to the candidates"
            )
        scores = self.score(predictions, self.vectors) if scores is None else scores
        self.seen_unseen.update(scores, labels)
        predicted = l2_normalize(self.attributes_of(predictions))
        self.class_error.update((predicted - self.directions[labels]).square(), labels)

    def result(self, gamma: float | None = None) -> Evaluation:
        """Return the evaluation of all samples so far; without a γ it uses the best one on these samples."""
        curve = self.seen_unseen.compute()
        oracle = curve.best()
        point = oracle if gamma is None else curve.at(gamma)
        accuracies = self.seen_unseen.class_accuracies(point.gamma)
        present = (~accuracies.isnan()).nonzero().squeeze(1)
        is_seen = self.seen_unseen.is_seen[present].tolist()
        classes = [self.classes[row] for row in present.tolist()]
        # torchmetrics turns a matrix of one cell into a scalar.
        matrix = self.class_error.compute().reshape(len(self.classes), -1)
        among_unseen = self.seen_unseen.class_accuracies(math.inf).masked_fill(self.seen_unseen.is_seen, math.nan)
        t1_terms = among_unseen[present].tolist()
        return Evaluation(
            t1=float(among_unseen.nanmean()),
            point=point,
            oracle=oracle,
            curve=curve,
            classes=tuple(classes),
            class_accuracy=accuracies[present].cpu(),
            unseen_class_accuracy={
                name: accuracy for name, accuracy, seen in zip(classes, t1_terms, is_seen, strict=True) if not seen
            },
            error_matrix=matrix[present].cpu(),
            class_semantics=self.directions[present].double().cpu(),
            attributes=self.attributes,
            is_seen=tuple(is_seen),
            derived=self.derived,
        )

    def samples(
        self,
        predictions: Outputs,
        labels: Labels,
        scale: float,
        batch_size: int,
        temperature: float = 1.0,
        strangeness: Float[Tensor, "B"] | None = None,
    ) -> PredictedSamples:
        """Return samples as an analysis needs them; outputs and labels are those of :meth:`update`."""
        parts = predictions.split(batch_size)
        attributes = [self.attributes_of(part) for part in parts]
        # Outputs that are attributes themselves are not copied.
        are_attributes = all(one is other for one, other in zip(attributes, parts, strict=True))

        @torch.no_grad()
        def scores_of(part: slice) -> Scores:
            return self.score(predictions[part], self.vectors)

        return PredictedSamples(
            semantics=ClassSemantics(self.classes, self.attributes, self.values, groups=self.groups),
            is_seen=self.seen_unseen.is_seen,
            predictions=predictions if are_attributes else torch.cat(attributes),
            labels=self.position[labels],
            scores_of=scores_of,
            scale=scale,
            temperature=temperature,
            strangeness=strangeness,
        )

    def reset(self) -> None:
        """Remove all samples."""
        for metric in (self.seen_unseen, self.class_error):
            metric.reset()


@torch.inference_mode()
def evaluate(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    seen_index: Int[Tensor, "N"] | None = None,
    unseen_index: Int[Tensor, "M"] | None = None,
    batch_size: int | None = None,
    foreign: Tensor | Sequence[Path | Crop] | None = None,
) -> Evaluation:
    """Evaluate a model on the test images of a benchmark, at the model's own γ.

    The candidates are the classes that the model was trained on and the benchmark's unseen ones. Without images of seen
    classes T1 and U are still reported; S, H and the area are NaN.

    Args:
        model: a trained classifier.
        benchmark: its classes and attributes are joined with the model's by name.
        seen_index: images of seen classes to use instead of ``split.test_seen``.
        unseen_index: images of unseen classes to use instead of ``split.test_unseen``.
        batch_size: images per forward pass; None takes fewer of large images, ``model.input_format.batch``.
        foreign: images of none of the classes, of which the share that the model accepts is measured; inputs as for
            :meth:`rezsl.classifier.ZeroShotClassifier.classify`.

    Raises:
        ArgumentError: the model has no limit by which it can refuse foreign images, or reads image files in another
            ``value_range`` than the benchmark has.
        DataError: there are no images of unseen classes to test on, attributes differ, or a class that should be unseen
            was trained on.
    """
    seen_index = benchmark.split.test_seen if seen_index is None else seen_index
    unseen_index = benchmark.split.test_unseen if unseen_index is None else unseen_index
    if not len(unseen_index):
        raise DataError(
            f"split.test_unseen: expected images of unseen classes to test on, got none in {benchmark.name}; hold some "
            f"out, as rezsl data make-splits does"
        )
    accepted = math.nan if foreign is None else share_accepted(model, foreign, batch_size, benchmark.semantics)
    result = evaluate_samples(model, benchmark, seen_index, unseen_index, batch_size)
    return replace(result, false_accept=accepted)


@torch.inference_mode()
def evaluate_together(model: ZeroShotClassifier, benchmark: Benchmark, batch_size: int | None = None) -> Evaluation:
    """Return :func:`evaluate` of all test images, of which each process of a training predicts some.

    All processes must call it. As the batches are those of one process, so is the result, to the last digit.
    """
    split = benchmark.split
    return evaluate_samples(model, benchmark, split.test_seen, split.test_unseen, batch_size, together=True)


def share_accepted(
    model: ZeroShotClassifier,
    foreign: Tensor | Sequence[Path | Crop],
    batch_size: int | None = None,
    candidates: ClassSemantics | None = None,
    unreadable: dict[int, str] | None = None,
) -> float:
    """Return the share of foreign inputs that a model does not refuse.

    Args:
        model: a trained classifier.
        foreign: inputs of none of the classes, as for :meth:`rezsl.classifier.ZeroShotClassifier.classify`.
        batch_size: as for :func:`evaluate`.
        candidates: the classes to choose among; None means those of the training table.
        unreadable: takes a sentence for each image file that cannot be read, by its position. Such files do not count.
            Where it is None, they are an error.

    Raises:
        ArgumentError: the model has no limit by which it can refuse inputs.
        DataError: no input can be read, or, without ``unreadable``, an image file cannot.
    """
    if model.familiarity is None:
        raise ArgumentError(
            "model: expected one that can refuse inputs, got one that accepts all of them; train it anew with rezsl "
            "fit, or rezsl.fit in Python"
        )
    strangeness = model.examine(foreign, batch_size, candidates=candidates, unreadable=unreadable)[1]
    if not len(strangeness):
        first = next(iter((unreadable or {}).values()), "")
        raise DataError(first or "foreign: expected at least one input, got none; give some")
    return float((strangeness <= 0).double().mean())


def evaluate_samples(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    seen_index: Tensor,
    unseen_index: Tensor,
    batch_size: int | None = None,
    together: bool = False,
) -> Evaluation:
    """Evaluate a model on given samples, of which one kind, seen or unseen, may be missing; see :func:`evaluate`.

    ``together`` is whether all processes of a training call it, and take turns with the batches.
    """
    model.check_values(benchmark)
    table = model.semantics.with_classes_of(benchmark.semantics)
    unseen, known, described = benchmark.class_names(unseen_index), set(model.seen_classes), set(table.classes)
    if trained := [name for name in unseen if name in known]:
        raise DataError(f"split.test_unseen: the model was trained on {name_some(trained)}; not unseen to it")
    if foreign := [name for name in benchmark.class_names(seen_index) if name not in known]:
        raise DataError(f"split.test_seen: the model was not trained on {name_some(foreign)}; not seen by it")
    seen = [name for name in model.seen_classes if name in described]
    evaluator = GZSLEvaluator.of(model, table, (*seen, *unseen), seen, merged=False)
    index = torch.cat([seen_index, unseen_index])
    batch_size = model.input_format.batch if batch_size is None else batch_size
    turns = index.split(batch_size)[process_rank() :: process_count()] if together else (index,)
    own = torch.cat(turns) if turns else index[:0]
    predictions, strangeness = model.examine(benchmark.inputs, batch_size, own, table)
    if together:
        predictions, strangeness = (from_turns(part, batch_size) for part in (predictions, strangeness))
    labels = benchmark.labels[index]
    for part, rows in zip(predictions.split(batch_size), labels.split(batch_size), strict=True):
        evaluator.update(part, rows)
    measured = strangeness if model.familiarity is not None else None
    samples = evaluator.samples(predictions, labels, model.scale, batch_size, model.temperature, measured)
    result, network = evaluator.result(model.gamma), model.network
    caution = "; ".join(filter(None, [network.caution, "" if network.predicts_attributes else INDIRECT]))
    return replace(result, protocol=model.protocol, samples=samples, caution=caution, failure=network.failure)

"""Analyses of predicted attributes: of a model, of an evaluation, or of another program's predictions."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, DataError
from rezsl.evaluation._analysis import Analysis
from rezsl.evaluation._evaluation import Evaluation, PredictedSamples
from rezsl.evaluation._evaluator import GZSLEvaluator, evaluate_samples
from rezsl.evaluation._options import AnalysisOptions
from rezsl.evaluation._recognition import Contest, recognise
from rezsl.functional import class_scores
from rezsl.functional.binning import bin_by_value
from rezsl.functional.imbalance import error_profile
from rezsl.functional.statistics import bootstrap_weights, correlations
from rezsl.semantics import ClassSemantics


def analyse_model(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    options: AnalysisOptions | None = None,
    batch_size: int = 256,
) -> Analysis:
    """Analyse a model on the test images of a benchmark, at the model's own γ.

    As for :func:`rezsl.evaluate` the candidates are the classes that the model was trained on and the benchmark's
    unseen ones. Test images of one kind, seen or unseen, are enough.

    Args:
        model: a trained classifier.
        benchmark: its classes and attributes are joined with the model's by name.
        options: bins, intervals, neighbours.
        batch_size: images per forward pass.

    Raises:
        DataError: there is nothing to test on, attributes differ, or a class that should be unseen was trained on.
    """
    split = benchmark.split
    if not len(split.test_seen) + len(split.test_unseen):
        raise DataError(f"split: {benchmark.name} has no test images, so there is nothing to analyse")
    evaluation = evaluate_samples(model, benchmark, split.test_seen, split.test_unseen, batch_size)
    return analyse_evaluation(evaluation, options)


@torch.inference_mode()
def analyse(
    predictions: Float[Tensor, "N S"],
    labels: Int[Tensor, "N"],
    semantics: ClassSemantics,
    seen_classes: Sequence[str],
    gamma: float = 0.0,
    scale: float = 20.0,
    scores: Float[Tensor, "N C"] | None = None,
    options: AnalysisOptions | None = None,
) -> Analysis:
    """Analyse predicted attributes of any model.

    Args:
        predictions: predicted attributes of N test samples, ``[N, S]``, columns in the order of the table's attributes.
        labels: row of the table of each sample, ``[N]``.
        semantics: the table; all its classes are candidates.
        seen_classes: names of the classes in training; all others are unseen.
        gamma: γ of calibrated stacking, which is subtracted from the scores of seen classes.
        scale: scale of the cosine scores; unused where ``scores`` are given.
        scores: class scores ``[N, C]`` of a model that does not score by cosine, from which γ is not subtracted;
            columns in the order of the table's classes. Their softmax gives the probabilities.
        options: bins, intervals, neighbours.

    Raises:
        ArgumentError: γ or the scale is outside its range.
        DataError: shapes do not match, a label lies outside the table, a number is not finite, or a seen class has no
            semantics.

    >>> table = ClassSemantics(("horse", "zebra"), ("mane", "stripes"), torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    >>> found = analyse(torch.tensor([[1.0, 0.1], [1.0, 0.2]]), torch.tensor([0, 1]), table, ["horse"], gamma=1.0)
    >>> found.point.seen, found.point.unseen, found.t1, found.generalized.most_confused(1)[0].chosen
    (1.0, 0.0, 1.0, 'horse')
    """
    check_predictions(predictions, labels, semantics, scores)
    _check_setting(semantics, seen_classes, gamma, scale)
    # Half precision cannot distinguish similar classes.
    predictions = predictions.to("cpu", torch.promote_types(predictions.dtype, torch.float32))
    labels = labels.to("cpu", torch.int64)
    found = class_scores(predictions, semantics.values, scale) if scores is None else scores.cpu()
    evaluator = GZSLEvaluator(semantics, semantics.classes, seen_classes, class_scores, torch.float64)
    evaluator.update(predictions.double(), labels, found)
    samples = PredictedSamples(
        semantics=semantics,
        is_seen=evaluator.seen_unseen.is_seen,
        predictions=predictions,
        labels=labels,
        compute_scores=lambda: found,
        scale=scale if scores is None else None,
    )
    return analyse_evaluation(replace(evaluator.result(gamma), samples=samples), options)


@torch.inference_mode()
def analyse_evaluation(evaluation: Evaluation, options: AnalysisOptions | None = None) -> Analysis:
    """Add the analyses of errors and of recognition to an evaluation; the model is not run again.

    Args:
        evaluation: made by :func:`rezsl.evaluate` or :func:`rezsl.fit`, such as ``fit(…).test``.
        options: bins, intervals, neighbours.

    Raises:
        ArgumentError: the evaluation does not have the predicted samples, as one of the validation in training.
    """
    options = AnalysisOptions() if options is None else options
    samples = evaluation.samples
    if samples is None:
        raise ArgumentError(
            "evaluation: expected one with the predicted samples, got one without; make it by rezsl.evaluate"
        )
    contest = Contest(
        candidates=samples.semantics.classes,
        class_semantics=samples.semantics.values,
        is_seen=samples.is_seen,
        sample=torch.arange(len(samples.labels)),
        predictions=samples.predictions,
        scores=samples.compute_scores(),
        truth=samples.labels,
    )
    unseen, matrix, values = contest.among_unseen(), evaluation.error_matrix, evaluation.class_semantics
    of_classes, of_attributes = (bootstrap_weights(count, options.resamples, options.seed) for count in matrix.shape)
    count = torch.bincount(samples.labels)
    return Analysis(
        **{field.name: getattr(evaluation, field.name) for field in fields(Evaluation)},
        groups=samples.semantics.groups,
        class_count=count[count > 0],
        scale=samples.scale,
        attribute_errors=error_profile(matrix),
        class_errors=error_profile(matrix.T),
        correlation_over_classes=correlations(values, matrix, of_classes, options.level),
        correlation_over_attributes=correlations(values.T, matrix.T, of_attributes, options.level),
        error_by_value=bin_by_value(
            matrix, values, of_classes, options.value_bins, options.value_binning, options.level
        ),
        generalized=recognise(contest, evaluation.gamma, options),
        conventional=None if unseen is None else recognise(unseen, 0.0, options),
        error_fall=None,
        options=options,
    )


def check_predictions(predictions: Tensor, labels: Tensor, semantics: ClassSemantics, scores: Tensor | None) -> None:
    """Raise an error for predictions that cannot be analysed.

    Raises:
        DataError: a shape or a kind does not match, a label lies outside the table, or a number is not finite.
    """
    columns, rows = len(semantics.attributes), len(semantics.classes)
    _check_matrix("predictions", predictions, len(predictions), columns, "attribute")
    if not len(predictions):
        raise DataError("predictions: expected at least one sample, got none")
    if labels.shape != (len(predictions),) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(
            f"labels: expected a whole number per sample, {len(predictions)}, "
            f"got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= rows:
        raise DataError(
            f"labels: expected class numbers in [0, {rows}), the rows of the semantics table, "
            f"got {low if low < 0 else high}"
        )
    if scores is not None:
        _check_matrix("scores", scores, len(predictions), rows, "class")


def _check_setting(semantics: ClassSemantics, seen_classes: Sequence[str], gamma: float, scale: float) -> None:
    """Raise an error for an impossible γ or scale, and for seen classes that the table does not have.

    Raises:
        ArgumentError: γ is not finite, or the scale is not positive.
        DataError: a seen class has no semantics.
    """
    semantics.index(seen_classes)
    if not math.isfinite(gamma):
        raise ArgumentError(f"gamma: expected a finite number, got {gamma}")
    if not 0 < scale < math.inf:
        raise ArgumentError(f"scale: expected a positive number, got {scale}")


def _check_matrix(argument: str, matrix: Tensor, rows: int, columns: int, column: str) -> None:
    if matrix.shape != (rows, columns) or not matrix.is_floating_point():
        raise DataError(
            f"{argument}: expected numbers [{rows}, {columns}], a row per sample and a column per {column} of the "
            f"semantics table, got {matrix.dtype} of shape {tuple(matrix.shape)}"
        )
    finite = matrix.isfinite().all(dim=1)
    if not bool(finite.all()):
        raise DataError(
            f"{argument}: expected finite numbers, got NaN or infinity in row {int((~finite).nonzero()[0])}"
        )

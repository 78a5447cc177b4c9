"""Analyses of predicted attributes, and of how fast the errors of a run fall from epoch to epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, DataError, RunDirectoryError, check_positive
from rezsl.evaluation._evaluation import AnalysisOptions, Evaluation, PredictedSamples, json_value
from rezsl.evaluation._evaluator import GZSLEvaluator, evaluate_samples
from rezsl.evaluation._recognition import Recognition, recognise
from rezsl.evaluation._saved_predictions import check_predictions, load_predictions
from rezsl.files import local_path, read_npz, reading
from rezsl.functional import class_scores
from rezsl.functional.binning import ValueBins, bin_by_value
from rezsl.functional.imbalance import ErrorFall, ErrorProfile, error_fall_rate, error_profile
from rezsl.functional.statistics import Correlations, bootstrap_weights, correlations
from rezsl.metrics import read_metrics
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, eq=False, kw_only=True)
class Analysis(Evaluation):
    """An evaluation of N samples of K classes with S attributes, with analyses of its errors and its recognition.

    The attributes of :class:`Evaluation` are those of the analysis too.

    Attributes:
        groups: the attribute group of each attribute, S names, or None.
        class_count: samples of each class, ``[K]``.
        scale: scale of the class scores; None where the scores come from another program.
        attribute_errors: the errors of each attribute over classes, ``[S]`` each.
        class_errors: the errors of each class over attributes, ``[K]`` each.
        correlation_over_classes: between attribute value (a cell of ``class_semantics``) and error, per attribute,
            ``[S]`` each; its intervals resample the classes.
        correlation_over_attributes: the same per class, ``[K]`` each; its intervals resample the attributes.
        error_by_value: the errors of all cells in bins of the attribute value.
        generalized: the recognition of all samples among all candidate classes, at ``gamma``.
        conventional: the recognition of the samples of unseen classes among the unseen classes only; None without any.
        error_fall: how fast the errors fell during training; None until :meth:`with_error_fall` adds it.
        options: the settings of the analysis.
    """

    groups: tuple[str, ...] | None
    class_count: Int[Tensor, "K"]
    scale: float | None
    attribute_errors: ErrorProfile
    class_errors: ErrorProfile
    correlation_over_classes: Correlations
    correlation_over_attributes: Correlations
    error_by_value: ValueBins
    generalized: Recognition
    conventional: Recognition | None
    error_fall: ErrorFall | None
    options: AnalysisOptions

    @property
    def worst_attributes(self) -> list[tuple[str, float]]:
        """Name and mean error of the ``options.worst`` worst attributes, the worst first."""
        return self._worst(self.attribute_errors, self.attributes)

    @property
    def worst_classes(self) -> list[tuple[str, float]]:
        """Name and mean error of the ``options.worst`` worst classes, the worst first."""
        return self._worst(self.class_errors, self.classes)

    def _worst(self, errors: ErrorProfile, names: tuple[str, ...]) -> list[tuple[str, float]]:
        return [(names[row], float(errors.mean[row])) for row in errors.worst(self.options.worst).tolist()]

    def with_error_fall(self, fall: ErrorFall) -> "Analysis":
        """Return the same analysis with how fast the errors fell; other classes or attributes are an ArgumentError."""
        if fall.rate.shape != self.error_matrix.shape:
            expected, got = (" × ".join(map(str, matrix.shape)) for matrix in (self.error_matrix, fall.rate))
            raise ArgumentError(
                f"fall: expected a rate per class and attribute, {expected}, got {got}"
                "; give the rates of this benchmark"
            )
        return replace(self, error_fall=fall)

    def metrics(self) -> dict[str, float]:
        """Return every metric of :data:`rezsl.metrics.METRICS` that an analysis has, by name."""
        return read_metrics(self, "evaluation", "samples", "analysis")

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics and every field by name, except the samples, as JSON values.

        Tensors become nested lists; NaN and infinity become None.
        """
        fields: dict[str, Any] = json_value(replace(self, samples=None))
        del fields["samples"]
        return {"metrics": json_value(self.metrics()), **fields}


def analyse_model(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    options: AnalysisOptions = AnalysisOptions(),
    batch_size: int | None = None,
) -> Analysis:
    """Analyse a model on the test images of a benchmark, at the model's own γ.

    Arguments, candidates and errors are those of :func:`rezsl.evaluate`, and ``options`` are the settings of the
    analysis; but test images of one kind, seen or unseen, are enough.
    """
    split = benchmark.split
    if not len(split.test_seen) + len(split.test_unseen):
        raise DataError(
            f"split: {benchmark.name} has no test images, so there is nothing to analyse; hold some out, as "
            f"rezsl data make-splits does"
        )
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
    options: AnalysisOptions = AnalysisOptions(),
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
    check_positive(scale=scale)
    if not math.isfinite(gamma):
        raise ArgumentError(f"gamma: expected a finite number, got {gamma}")
    seen_classes = semantics.only(seen_classes).classes  # raises an error for a class without semantics
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
        scores_of=lambda part: found[part],
        scale=scale if scores is None else None,
    )
    return analyse_evaluation(replace(evaluator.result(gamma), samples=samples), options)


def analyse_validation(
    run_dir: str | Path, benchmark: Benchmark, options: AnalysisOptions = AnalysisOptions()
) -> tuple[Analysis, Int[Tensor, "N"]] | None:
    """Analyse the validation images of a run, as the model of its selection stage predicted them.

    That model was trained without the validation classes, and its epoch and γ were chosen on these very images, so the
    metrics are an optimistic estimate of what the final model does on other classes.

    Args:
        run_dir: directory of a run.
        benchmark: the data of the run.
        options: bins, intervals, neighbours.

    Returns:
        The analysis, and the position of each of its samples in the benchmark; None where the run has no record.

    Raises:
        DataError: the record is damaged, or is of another benchmark.
    """
    path = local_path(run_dir) / "validation_predictions.npz"
    if not path.exists():
        return None
    expected = "the validation predictions of a run"
    content = read_npz(path, RunDirectoryError, expected)
    with reading(path, expected, RunDirectoryError):
        classes, seen, gamma = content["classes"].tolist(), content["seen"].tolist(), float(content["gamma"])
        index = torch.from_numpy(content["index"])
    table = benchmark.semantics.only(classes)
    saved = load_predictions(path, table)
    rows = torch.tensor(benchmark.semantics.index(classes))
    if int(index.max()) >= len(benchmark.labels) or not torch.equal(benchmark.labels[index], rows[saved.labels]):
        raise DataError(
            f"{path}: expected the data of the run, got other images or labels in {benchmark.name}"
            "; give the data that the run was trained on"
        )
    return analyse(saved.predictions, saved.labels, table, seen, gamma, scores=saved.scores, options=options), index


@torch.inference_mode()
def analyse_evaluation(evaluation: Evaluation, options: AnalysisOptions = AnalysisOptions()) -> Analysis:
    """Add the analyses of errors and of recognition to an evaluation; the model is not run again.

    The evaluation is made by :func:`rezsl.evaluate` or :func:`rezsl.fit`, such as ``fit(…).test``. One that does not
    have the predicted samples, as one of the validation in training, is an :class:`ArgumentError`.
    """
    samples = evaluation.samples
    if samples is None:
        raise ArgumentError(
            "evaluation: expected one with the predicted samples, got one without; make it by rezsl.evaluate"
        )
    candidates = [(torch.ones_like(samples.is_seen), evaluation.gamma)]
    if evaluation.has_unseen:
        candidates.append((~samples.is_seen, 0.0))
    generalized, *conventional = recognise(samples, candidates, options)
    matrix, values = evaluation.error_matrix, evaluation.class_semantics
    draws = options.draws(matrix.numel())
    of_classes, of_attributes = (bootstrap_weights(count, draws, options.seed) for count in matrix.shape)
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
        generalized=generalized,
        conventional=conventional[0] if conventional else None,
        error_fall=None,
        options=options,
    )


@torch.inference_mode()
def analyse_error_fall(
    error_matrices: Float[Tensor, "E K S"],
    class_semantics: Float[Tensor, "K S"],
    epochs: Sequence[float] | None = None,
    options: AnalysisOptions = AnalysisOptions(),
) -> ErrorFall:
    """Measure how fast each error falls from epoch to epoch, and whether that depends on the attribute value.

    Args:
        error_matrices: class error matrix of each epoch, ``[E, K, S]``, such as :attr:`Analysis.error_matrix`.
        class_semantics: attribute values of the same classes, ``[K, S]``, such as :attr:`Analysis.class_semantics`.
        epochs: number of each epoch, E of them, ascending; None counts them from 1.
        options: bins and intervals.

    Raises:
        ArgumentError: fewer than two epochs, epochs out of order or of another number, or an error that is negative
            or not finite.

    >>> matrices = torch.tensor([[[0.4, 0.4]], [[0.2, 0.4]]])
    >>> analyse_error_fall(matrices, torch.tensor([[1.0, 0.0]])).rate
    tensor([[0.6931, 0.0000]], dtype=torch.float64)
    """
    numbers = range(1, len(error_matrices) + 1) if epochs is None else epochs
    if len(numbers) != len(error_matrices):
        raise ArgumentError(
            f"epochs: expected one per error matrix, {len(error_matrices)}, got {len(numbers)}; give a number for each"
        )
    if error_matrices.shape[1:] != class_semantics.shape:
        expected, got = (" × ".join(map(str, shape)) for shape in (class_semantics.shape, error_matrices.shape[1:]))
        raise ArgumentError(
            f"error_matrices: expected a cell per class and attribute, {expected}, got {got}"
            "; give all of them in one shape"
        )
    time = torch.tensor(numbers, dtype=torch.float64)
    rate = error_fall_rate(error_matrices, time)
    weights = bootstrap_weights(len(rate), options.draws(rate.numel()), options.seed)
    return ErrorFall(
        epochs=time,
        rate=rate,
        mean_error=error_matrices.double().mean(dim=(1, 2)),
        by_value=bin_by_value(rate, class_semantics, weights, options.value_bins, options.value_binning, options.level),
        correlation_over_classes=correlations(class_semantics, rate, weights, options.level),
    )


def load_error_fall(run_dir: str | Path, options: AnalysisOptions = AnalysisOptions()) -> ErrorFall | None:
    """Measure how fast the validation errors of a run fell, from ``validation_errors.npz`` in its directory.

    Return None where the run has no such file, as after a method in closed form, or has a single epoch. A damaged file
    is a :class:`RunDirectoryError`.
    """
    path = local_path(run_dir) / "validation_errors.npz"
    if not path.exists():
        return None
    expected = "the error matrices of a run's epochs"
    content = read_npz(path, RunDirectoryError, expected)
    with reading(path, expected, RunDirectoryError):
        epochs = content["epochs"].astype(float).tolist()
        errors, values = (torch.from_numpy(content[name]).double() for name in ("errors", "class_semantics"))
        return analyse_error_fall(errors, values, epochs, options) if len(epochs) > 1 else None

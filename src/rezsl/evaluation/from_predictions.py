"""From predicted semantics to an :class:`Analysis`."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.evaluation.analysis import Analysis
from rezsl.evaluation.contest import Contest, recognise
from rezsl.evaluation.inputs import check_predictions, check_setting
from rezsl.evaluation.options import AnalysisOptions
from rezsl.functional import SeenUnseenCurve, class_error_matrix, class_scores, l2_normalize, seen_unseen_curve
from rezsl.functional.binning import bin_by_value
from rezsl.functional.imbalance import error_profile
from rezsl.functional.statistics import bootstrap_weights, correlations
from rezsl.semantics import ClassSemantics


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
    """Analyse predicted semantics, of whichever model.

    Args:
        predictions: predicted semantics of N test samples, ``[N, S]``, columns in the order of the table's attributes.
        labels: row of the table of each sample, ``[N]``.
        semantics: the table; all its classes are candidates.
        seen_classes: names of those that were trained on; all others are unseen.
        gamma: γ of calibrated stacking: what the scores of seen classes lose.
        scale: scale of the cosine scores; unused where ``scores`` are given.
        scores: class scores ``[N, C]``, not less γ, of a model that does not score by cosine; columns in the order of
            the table's classes. Probabilities are the softmax of them as they are.
        options: bins, intervals, neighbours.

    Raises:
        ArgumentError: γ, the scale or an option is impossible.
        DataError: shapes do not match, a label lies outside the table, a number is not finite, or a seen class has no
            semantics.

    >>> table = ClassSemantics(("horse", "zebra"), ("mane", "stripes"), torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    >>> found = analyse(torch.tensor([[1.0, 0.1], [1.0, 0.2]]), torch.tensor([0, 1]), table, ["horse"], gamma=1.0)
    >>> found.point.seen, found.point.unseen, found.t1, found.generalized.most_confused(1)[0].chosen
    (1.0, 0.0, 1.0, 'horse')
    """
    options = AnalysisOptions() if options is None else options
    check_predictions(predictions, labels, semantics, scores)
    check_setting(semantics, seen_classes, gamma, scale)
    # Half precision could not tell similar classes apart.
    predictions = predictions.to("cpu", torch.promote_types(predictions.dtype, torch.float32))
    contest = Contest(
        candidates=semantics.classes,
        class_semantics=semantics.values,
        is_seen=torch.tensor([name in set(seen_classes) for name in semantics.classes]),
        sample=torch.arange(len(labels)),
        predictions=predictions,
        scores=class_scores(predictions, semantics.values, scale) if scores is None else scores.cpu(),
        truth=labels.to("cpu", torch.int64),
    )
    unseen, curve = contest.among_unseen(), _curve(contest)
    directions = l2_normalize(semantics.values.double())
    errors = (l2_normalize(contest.predictions.double()) - directions[contest.truth]).square()
    matrix, present = class_error_matrix(errors, contest.truth)
    values = directions[present]
    of_classes, of_semantics = (
        bootstrap_weights(count, options.resamples, options.seed) for count in (len(matrix), matrix.shape[1])
    )
    return Analysis(
        classes=tuple(semantics.classes[row] for row in present.tolist()),
        attributes=semantics.attributes,
        groups=semantics.groups,
        is_seen=tuple(contest.is_seen[present].tolist()),
        class_count=torch.bincount(contest.truth)[present],
        gamma=gamma,
        scale=scale if scores is None else None,
        error_matrix=matrix,
        class_semantics=values,
        semantic_errors=error_profile(matrix),
        class_errors=error_profile(matrix.T),
        correlation_over_classes=correlations(values, matrix, of_classes, options.level),
        correlation_over_semantics=correlations(values.T, matrix.T, of_semantics, options.level),
        error_by_value=bin_by_value(
            matrix, values, of_classes, options.value_bins, options.value_binning, options.level
        ),
        curve=curve,
        point=None if curve is None else curve.at(gamma),
        oracle=None if curve is None else curve.best(),
        generalized=recognise(contest, gamma, options),
        conventional=None if unseen is None else recognise(unseen, 0.0, options),
        error_fall=None,
        options=options,
    )


def _curve(contest: Contest) -> SeenUnseenCurve | None:
    seen = contest.is_seen[contest.truth]
    if bool(seen.all()) or not bool(seen.any()):
        return None
    sides = [(contest.scores[side], contest.truth[side]) for side in (seen, ~seen)]
    return seen_unseen_curve(*sides[0], *sides[1], contest.is_seen)

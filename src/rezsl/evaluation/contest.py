"""Samples, and the classes that compete for them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.evaluation.options import AnalysisOptions
from rezsl.evaluation.recognition import Recognition
from rezsl.functional import class_accuracies
from rezsl.functional.recognition import hubness, reliability, study_mistakes
from rezsl.functional.scoring import calibrated_choice, confusion_counts
from rezsl.functional.shapes import ClassMask, ClassMatrix


@dataclass(frozen=True, eq=False)
class Contest:
    """M samples and C candidate classes.

    Attributes:
        candidates: names of the classes.
        class_semantics: their semantics, ``[C, S]``.
        is_seen: which of them are seen, ``[C]``.
        sample: which rows of the predictions given to the analysis the samples are, ``[M]``.
        predictions: predicted semantics, ``[M, S]``.
        scores: class scores, not less γ, ``[M, C]``.
        truth: class of each sample, ``[M]``, a position among the candidates.
    """

    candidates: tuple[str, ...]
    class_semantics: ClassMatrix
    is_seen: ClassMask
    sample: Int[Tensor, "M"]
    predictions: Float[Tensor, "M S"]
    scores: Float[Tensor, "M C"]
    truth: Int[Tensor, "M"]

    def among_unseen(self) -> "Contest | None":
        """The samples of unseen classes among the unseen classes only; None without any."""
        columns = (~self.is_seen).nonzero().squeeze(1)
        rows = (~self.is_seen[self.truth]).nonzero().squeeze(1)
        if not len(rows):
            return None
        return Contest(
            candidates=tuple(self.candidates[column] for column in columns.tolist()),
            class_semantics=self.class_semantics[columns],
            is_seen=self.is_seen[columns],
            sample=self.sample[rows],
            predictions=self.predictions[rows],
            scores=self.scores[rows][:, columns],
            truth=torch.searchsorted(columns, self.truth[rows]),
        )


def recognise(contest: Contest, gamma: float, options: AnalysisOptions) -> Recognition:
    """Who wins, at a given γ, and how that compares with the truth."""
    chosen, confidence, calibrated = calibrated_choice(contest.scores, contest.is_seen, gamma)
    accuracies, present = class_accuracies(chosen, contest.truth)
    of_all = torch.full((len(contest.candidates),), torch.nan, dtype=torch.float64)
    return Recognition(
        candidates=contest.candidates,
        sample=contest.sample,
        truth=contest.truth,
        chosen=chosen,
        class_accuracy=of_all.index_copy(0, present, accuracies),
        confusion=confusion_counts(contest.truth, chosen, len(contest.candidates)),
        mistakes=study_mistakes(contest.predictions, contest.class_semantics, contest.truth, chosen),
        hubness=hubness(calibrated, contest.truth, options.neighbours),
        reliability=reliability(
            confidence, chosen == contest.truth, options.confidence_bins, options.confidence_binning
        ),
    )

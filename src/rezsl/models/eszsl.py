"""ESZSL: a bilinear compatibility in closed form (Romera-Paredes and Torr, ICML 2015)."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional import l2_normalize
from rezsl.functional.closed_forms import class_moments, eszsl
from rezsl.functional.shapes import ClassMatrix, Labels, Pooled
from rezsl.models.bilinear import Bilinear
from rezsl.models.closed_form import ClosedForm
from rezsl.models.semantic_model import pool


class ESZSL(Bilinear, ClosedForm):
    """Scores ⟨W x, a_c / ‖a_c‖⟩ fitted to +1 for the right class and −1 for the others, times ``scale``.

    Two departures from the original. The penalties are relative, so one default fits any number of samples, dimensions
    and classes: γ is ``feature_penalty`` times the mean of the diagonal of XᵀX, λ is ``semantic_penalty`` times that of
    AᵀA. And :func:`rezsl.fit` gives it features that are centred and of unit deviation.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        num_semantics: S.
        feature_penalty: relative γ, above 0.
        semantic_penalty: relative λ, above 0.
    """

    def __init__(
        self, region_dim: int, num_semantics: int, feature_penalty: float = 0.3, semantic_penalty: float = 1.0
    ) -> None:
        super().__init__(region_dim, num_semantics)
        for name, penalty in (("feature_penalty", feature_penalty), ("semantic_penalty", semantic_penalty)):
            if not 0 < penalty < float("inf"):
                raise ArgumentError(f"{name}: expected a positive number, got {penalty}")
        self.feature_penalty, self.semantic_penalty = feature_penalty, semantic_penalty

    @classmethod
    def build(
        cls,
        region_dim: int,
        word_vectors: Float[Tensor, "S L"],
        feature_penalty: float = 0.3,
        semantic_penalty: float = 1.0,
    ) -> "ESZSL":
        """A model to be solved for.

        Args:
            region_dim: D.
            word_vectors: one row per semantic.
            feature_penalty: γ, relative to the mean square of the features summed over the samples; above 0.
            semantic_penalty: λ, relative to the mean square of the unit-length class rows summed over them; above 0.
        """
        return cls(region_dim, len(word_vectors), feature_penalty, semantic_penalty)

    def architecture(self) -> dict[str, Any]:
        """The constructor's arguments."""
        penalties = {"feature_penalty": self.feature_penalty, "semantic_penalty": self.semantic_penalty}
        return super().architecture() | penalties

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; about five times the memory of XᵀX in float64."""
        rows = l2_normalize(class_semantics.double())
        moments = class_moments(((pool(regions), labels) for regions, labels in batches), len(rows))
        # Features that are all alike have nothing to relate a penalty to: any will do, and the weights come out as 0.
        size = float(moments.gram.diagonal().mean()) or 1.0
        solution = eszsl(
            moments,
            rows,
            self.feature_penalty * size,
            self.semantic_penalty * float(rows.square().sum(dim=0).mean()),
        )
        self.readout.weight.copy_(solution)

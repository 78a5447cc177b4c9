"""A bilinear compatibility between features and classes: what ALE, DeViSE and SJE train, and ESZSL solves for."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Pooled, Predictions, Scores
from rezsl.models.semantic_model import SemanticModel, pool


class Bilinear(SemanticModel):
    """F(x, c) = scale · ⟨W · mean_r F_r, a_c / ‖a_c‖⟩: the prediction's own length counts, unlike in a cosine.

    ALE, DeViSE and SJE are this model under their ranking losses, as ``classification`` of :func:`rezsl.fit` with
    ``loss=None``; the losses' margins then count in scores that ``scale`` has multiplied.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        num_semantics: S.
    """

    def __init__(self, region_dim: int, num_semantics: int) -> None:
        super().__init__()
        self.readout = nn.Linear(region_dim, num_semantics, bias=False)

    @classmethod
    def build(cls, region_dim: int, word_vectors: Float[Tensor, "S L"]) -> "Bilinear":
        """A new network; there are no options."""
        return cls(region_dim, len(word_vectors))

    def architecture(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"region_dim": self.readout.in_features, "num_semantics": self.readout.out_features}

    def forward(self, regions: Pooled) -> Predictions:
        """Project the mean region, ``[B, …, D] -> [B, S]``."""
        prediction: Tensor = self.readout(pool(regions))
        return prediction

    def class_scores(self, predictions: Predictions, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Dot product with class rows of length 1, times ``scale``; ``[B, S], [C, S] -> [B, C]``."""
        return scale * predictions @ l2_normalize(class_semantics.to(predictions.dtype)).T

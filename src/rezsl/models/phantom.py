"""SYNC: classifiers of all classes, synthesised from those of phantom classes."""

import math
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import check_not_negative, check_positive
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Outputs, Pooled, Predictions, Scores
from rezsl.models._semantic_model import SemanticModel, TrainingOutput, pool
from rezsl.semantics import ClassSemantics


class SYNC(SemanticModel, name="sync"):
    """F(x, c) = ⟨w_c, x⟩ with w_c = Σ_r s_cr v_r and x the mean region, scaled to length √D.

    Classes near a phantom class r thus have a classifier near v_r.

    Changpinyo et al., Synthesized Classifiers for Zero-Shot Learning, CVPR 2016, equations 2 to 5. The phantom classes
    have places b_r among the class semantics, and a class is as near to them as

        s_cr = exp(−‖a_c − b_r‖² / σ²) / Σ_r' exp(−‖a_c − b_r'‖² / σ²)

    with rows of length 1. As in the main results of the original, there is a phantom class at each training class, and
    only the v_r are learnt. ``penalty`` / 2 · Σ_c ‖w_c‖² over the training classes is added to the objective. The
    original trains with :class:`rezsl.losses.OneVersusOtherLoss`, with the loss of Crammer and Singer, which is
    :class:`rezsl.losses.SJELoss`, or with :class:`rezsl.losses.StructuredLoss`; each as ``classification`` of
    :func:`rezsl.fit` with ``loss=None``. The scores are not multiplied by ``scale``, because the classifiers have
    lengths of their own.

    Args:
        width: σ², relative to the mean of ‖a_c − a_c'‖² over pairs of training classes; above 0.
        penalty: weight of the squared lengths of the classifiers, 0 or more.
    """

    predicts_attributes: ClassVar[bool] = False
    places: Float[Tensor, "R S"]
    square: Float[Tensor, ""]

    def __init__(self, region_dim: int, semantics: ClassSemantics, width: float = 0.3, penalty: float = 0.0) -> None:
        super().__init__()
        check_positive(width=width)
        check_not_negative(penalty=penalty)
        self.width, self.penalty, self.region_dim = width, penalty, region_dim
        self._place(semantics.values)

    def _place(self, class_semantics: ClassMatrix) -> None:
        """Put a phantom class at each of some classes; their classifiers are 0."""
        rows = l2_normalize(class_semantics)
        squares = torch.cdist(rows, rows).square()
        mean = squares.sum() / max(1, len(rows) * (len(rows) - 1))
        self.register_buffer("places", rows)
        self.register_buffer("square", torch.where(mean > 0, mean, 1.0))
        self.bases = nn.Parameter(rows.new_zeros(len(rows), self.region_dim))

    def prepare(self, class_semantics: Float[Tensor, "K S"]) -> None:
        """Put a phantom class at each training class."""
        self._place(class_semantics)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # The number of phantom classes is that of the training classes, which no constructor receives.
        saved = state_dict.get(f"{prefix}places")
        if isinstance(saved, Tensor) and saved.shape != self.places.shape:
            self.places = self.places.new_zeros(saved.shape)
            self.bases = nn.Parameter(self.bases.new_zeros(len(saved), self.region_dim))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, regions: Pooled) -> Outputs:
        """Compute the scores ⟨v_r, x⟩ of the phantom classes, ``[B, …, D] -> [B, R]``."""
        return math.sqrt(self.region_dim) * l2_normalize(pool(regions)) @ self.bases.T

    def training_forward(self, regions: Pooled, target: Predictions) -> TrainingOutput:
        """Compute the scores of the phantom classes, and the penalty on the classifiers of the training classes."""
        outputs = self(regions)
        classifiers = self.nearness(self.places).to(self.bases.dtype) @ self.bases
        penalty = self.penalty / 2 * classifiers.square().sum()
        return TrainingOutput(outputs, penalty.expand(len(outputs)))

    def nearness(self, class_semantics: ClassMatrix) -> Float[Tensor, "C R"]:
        """Return s, how near each class is to each phantom class, ``[C, S] -> [C, R]``; sums to 1 over R."""
        # Half precision cannot distinguish classes that are near each other.
        rows, places = (
            l2_normalize(part.to(torch.promote_types(part.dtype, torch.float32)))
            for part in (class_semantics, self.places)
        )
        squares = torch.cdist(rows, places.to(rows), compute_mode="donot_use_mm_for_euclid_dist").square()
        return (-squares / (self.width * self.square)).softmax(dim=1)

    def class_scores(self, predictions: Outputs, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Compute Σ_r s_cr ⟨v_r, x⟩, ``[B, R], [C, S] -> [B, C]``; ``scale`` is not used."""
        return predictions @ self.nearness(class_semantics).to(predictions.dtype).T

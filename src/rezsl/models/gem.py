"""GEM-Net, whose attention maps are trained beside a read-out of the mean region."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import ArgumentError, check_choice, check_not_negative
from rezsl.functional import l2_normalize
from rezsl.functional.attention import compactness, decorrelation, map_of_regions
from rezsl.functional.shapes import Predictions, Regions
from rezsl.models._semantic_model import Described, SemanticModel, TrainingOutput, attribute_groups, word_vectors_of

PredictionKind = Literal["pooled", "sum"]


class GEMNet(SemanticModel, name="gem"):
    """Â_s = ⟨P_s, mean_r F_r⟩ + b_s, beside attention maps a_s = softmax over regions of ⟨q_s, F_r⟩ with q_s = W v_s.

    This is GEM-Net of Liu et al., CVPR 2021, as its published code computes it. The maps take no part in the
    prediction; they shape the regions in training, where a backbone learns. For a class with the attribute directions A
    (of length 1) each sample adds to the objective

        peak_weight · mean over s of (max_r a_sr − A_s)²
        + compactness_weight · compactness of the maps
        + decorrelation_weight · mean over attribute groups g and channels d of ‖q_{s in g, d}‖₂

    where compactness and the last term, times the number of groups, are functions of
    :mod:`rezsl.functional.attention`. Where the regions are fixed, as those of a frozen backbone are, these terms
    change the maps but no prediction, and the model is a :class:`LinearRegressor`. With ``prediction="sum"``, which is
    our addition, the attended regions are read too: ⟨Q_s, Σ_r a_sr F_r⟩ is added to Â_s.

    GEM-Net has no loss on Â but cross-entropy: that is ``loss=None`` of :func:`rezsl.fit`. The published code of
    Rebalanced Zero-shot Learning trains it with ReMSE and without the first term, ``peak_weight=0``. Three departures
    remain. The recorded gazes of the paper are left out, as in its code. Compactness is measured in sides of the map
    instead of cells, and not divided by the number of cells: on a map of n × n cells it is (n / (n − 1))² times the
    published one. Weights start as those of PyTorch's linear layers do, instead of at standard deviation 1.

    For the compactness, regions must form a map with ``height`` rows of equal length, or a square map if ``height`` is
    0. A class token may precede the map; it has no position and is left out. A single region has no spread. Without
    attribute groups all attributes form one group.

    Args:
        region_dim: D, channels of a region.
        semantics: the table whose S attributes are predicted, with its word vectors v (one-hot vectors where it has
            none) and its attribute groups. The word vectors alone, ``[S, L]``, can be given instead.
        peak_weight: weight of the squared difference between the maximum of a map and the attribute, 0 or more.
        compactness_weight: weight of the spread of attention maps in training, 0 or more.
        decorrelation_weight: weight of the channels that the queries of attribute groups share, 0 or more.
        height: number of rows of the map of regions, 0 for a square map.
        prediction: ``pooled`` (published), or ``sum``.
    """

    slow_parts = ("query",)  # it outgrows the read-outs at the full rate
    word_vectors: Float[Tensor, "S L"]
    groups: Int[Tensor, "S"]

    def __init__(
        self,
        region_dim: int,
        semantics: Described,
        peak_weight: float = 1.0,
        compactness_weight: float = 0.2,
        decorrelation_weight: float = 0.1,
        height: int = 0,
        prediction: PredictionKind = "pooled",
    ) -> None:
        super().__init__()
        check_not_negative(
            peak_weight=peak_weight,
            compactness_weight=compactness_weight,
            decorrelation_weight=decorrelation_weight,
        )
        check_choice(PredictionKind, prediction=prediction)
        if height < 0:
            raise ArgumentError(f"height: expected the rows of the map, or 0 for a square one, got {height}")
        self.peak_weight, self.compactness_weight = peak_weight, compactness_weight
        self.decorrelation_weight, self.height = decorrelation_weight, height
        word_vectors = word_vectors_of(semantics)
        num_semantics, vector_dim = word_vectors.shape
        self.register_buffer("word_vectors", word_vectors.clone(), persistent=False)
        self.register_buffer("groups", attribute_groups(semantics), persistent=False)
        self.group_count = len(set(getattr(semantics, "groups", None) or [""]))
        self.query = nn.Linear(vector_dim, region_dim, bias=False)
        self.pooled = nn.Linear(region_dim, num_semantics)
        self.attended = nn.Parameter(torch.empty(num_semantics, region_dim)) if prediction == "sum" else None
        if self.attended is not None:
            nn.init.kaiming_uniform_(self.attended, a=5**0.5)

    def forward(self, regions: Regions) -> Predictions:
        """Predict attributes, ``[B, R, D] -> [B, S]``."""
        return self._predict(regions, None if self.attended is None else self.attention(regions))

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """Return the attention of each attribute to each region; see :class:`HasAttention`."""
        return torch.matmul(self.query(self.word_vectors), regions.mT).softmax(dim=2)

    def training_forward(self, regions: Regions, target: Predictions) -> TrainingOutput:
        """Predict attributes, and compute the penalty of each sample; regions that form no map are an ArgumentError."""
        attention = self.attention(regions)
        queries = self.query(self.word_vectors)
        penalty = (self.decorrelation_weight / self.group_count * decorrelation(queries, self.groups)).expand(
            len(regions)
        )
        if self.peak_weight > 0:
            apart = attention.amax(dim=2) - l2_normalize(target.to(attention.dtype))
            penalty = penalty + self.peak_weight * apart.square().mean(dim=1)
        if self.compactness_weight > 0:
            first, height = map_of_regions(regions.shape[1], self.height)
            penalty = penalty + self.compactness_weight * compactness(attention[:, :, first:], height)
        return TrainingOutput(self._predict(regions, attention), penalty)

    def _predict(self, regions: Regions, attention: Float[Tensor, "B S R"] | None) -> Predictions:
        prediction: Tensor = self.pooled(regions.mean(dim=1))
        if self.attended is None or attention is None:
            return prediction
        return prediction + (attention * torch.matmul(self.attended, regions.mT)).sum(dim=2)

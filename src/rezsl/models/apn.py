"""APN: attributes from the mean region, and prototypes of attributes that are found in single regions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import check_at_least, check_not_negative
from rezsl.functional import l2_normalize
from rezsl.functional.attention import compactness, decorrelation, map_of_regions
from rezsl.functional.shapes import Predictions, Regions
from rezsl.models._semantic_model import SemanticModel, TrainingOutput, attribute_groups
from rezsl.semantics import ClassSemantics


class APN(SemanticModel, name="apn"):
    """Â_s = ⟨V_s, mean_r F_r⟩ + local_weight · max_r ⟨P_s, F_r⟩: P_s is the prototype of an attribute among regions.

    Xu et al., Attribute Prototype Network for Zero-Shot Learning, NeurIPS 2020. In training, with the similarities
    M_sr = ⟨P_s, F_r⟩, the attributes a of length 1 of the right class, and equations 3 to 5 of the paper, the penalty

        regression_weight · Σ_s (max_r M_sr − a_s)² + decorrelation_weight · Σ_d Σ_g ‖P_{s in g, d}‖₂ / D
        + compactness_weight · mean over s of Σ_r softmax(M_s)_r · ‖position_r − position of the largest M_s‖²

    is added to the objective, see :mod:`rezsl.functional.attention`. The original is trained by this and by
    cross-entropy, which is ``loss=None`` of :func:`rezsl.fit`.

    Four things differ. Classes are scored by cosine instead of the dot product. In the original, prototypes act on the
    image network alone, which is trained with them, and not on the prediction; that is a ``local_weight`` of 0. Where
    the image network does not learn, both modules share the layer F' = F + U · relu(W · F + b) on regions F in its
    place, if ``adapter_dim`` is above 0; U begins as 0. Compactness weights distances by shares of the regions, because
    a negative similarity would reward distance.

    Args:
        region_dim: D, channels of a region.
        semantics: the table whose S attributes are predicted, with its attribute groups g; without groups all
            attributes form one.
        adapter_dim: width of the shared layer, 0 for none.
        local_weight: weight of the prototypes' predictions, 0 or more.
        regression_weight: weight of their squared errors in training, 0 or more.
        decorrelation_weight: weight of the channels that groups share, 0 or more.
        compactness_weight: weight of the spread of the similarities, 0 or more.
        height: number of rows of the map of regions, 0 for a square map; a class token may precede the map.
    """

    readout_parts = ("pooled", "prototypes")
    groups: Int[Tensor, "S"]

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        adapter_dim: int = 0,
        local_weight: float = 1.0,
        regression_weight: float = 1.0,
        decorrelation_weight: float = 0.01,
        compactness_weight: float = 0.2,
        height: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(0, adapter_dim=adapter_dim, height=height)
        check_not_negative(
            local_weight=local_weight,
            regression_weight=regression_weight,
            decorrelation_weight=decorrelation_weight,
            compactness_weight=compactness_weight,
        )
        self.local_weight, self.regression_weight = local_weight, regression_weight
        self.decorrelation_weight, self.compactness_weight = decorrelation_weight, compactness_weight
        self.height = height
        # The groups come from the table, which is saved with the classifier.
        self.register_buffer("groups", attribute_groups(semantics), persistent=False)
        self.adapter: nn.Sequential | None = None
        if adapter_dim:
            last = nn.Linear(adapter_dim, region_dim, bias=False)
            nn.init.zeros_(last.weight)
            self.adapter = nn.Sequential(nn.Linear(region_dim, adapter_dim), nn.ReLU(), last)
        self.pooled = nn.Linear(region_dim, len(semantics.attributes), bias=False)
        self.prototypes = nn.Parameter(torch.empty(len(semantics.attributes), region_dim))
        nn.init.kaiming_uniform_(self.prototypes, a=5**0.5)

    def forward(self, regions: Regions) -> Predictions:
        """Predict attributes, ``[B, R, D] -> [B, S]``."""
        regions = self._adapted(regions)
        return self._predict(regions, self._similarities(regions).amax(dim=2))

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """Return the softmax over regions of the similarities to each prototype; see :class:`HasAttention`."""
        return self._similarities(self._adapted(regions)).softmax(dim=2)

    def training_forward(self, regions: Regions, target: Predictions) -> TrainingOutput:
        """Predict attributes, and compute the penalty of each sample; regions that form no map are an ArgumentError."""
        regions = self._adapted(regions)
        similarities = self._similarities(regions)
        found = similarities.amax(dim=2)
        error = (found - l2_normalize(target.to(found.dtype))).square().sum(dim=1)
        shared = self.decorrelation_weight * decorrelation(self.prototypes, self.groups)
        penalty = self.regression_weight * error + shared
        if self.compactness_weight > 0:
            first, height = map_of_regions(regions.shape[1], self.height)
            penalty = penalty + self.compactness_weight * compactness(similarities[:, :, first:].softmax(dim=2), height)
        return TrainingOutput(self._predict(regions, found), penalty)

    def _adapted(self, regions: Regions) -> Regions:
        return regions if self.adapter is None else regions + self.adapter(regions)

    def _similarities(self, regions: Regions) -> Float[Tensor, "B S R"]:
        return torch.matmul(self.prototypes, regions.mT)

    def _predict(self, regions: Regions, found: Predictions) -> Predictions:
        prediction: Tensor = self.pooled(regions.mean(dim=1)) + self.local_weight * found
        return prediction

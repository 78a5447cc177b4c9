"""GEM-Net: attributes look at compact places and share no channels across groups (Liu et al., CVPR 2021)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.attention import compactness, decorrelation
from rezsl.functional.shapes import Predictions, Regions
from rezsl.models.grouped_model import GroupedModel
from rezsl.models.semantic_model import TrainingOutput


class GEMNet(GroupedModel):
    """Â_s = ⟨mean_r F_r, P_s⟩ + ⟨Σ_r a_sr F_r, Q_s⟩ + b_s, a_s = softmax over regions of ⟨W v_s, F_r⟩.

    In training each sample adds to the objective ``compactness_weight`` times the spread of its attention maps, and
    ``decorrelation_weight`` times the norms of Q's channels within groups of attributes
    (:mod:`rezsl.functional.attention`). Without groups all attributes are one group, and the second term
    only asks for few channels.

    Of the original it is the attribute attention with these two terms: its branches give one prediction, whose losses
    are those of :func:`rezsl.fit`, and the recorded gazes, which other data sets lack, are left out.

    For the compactness regions must lie on a map: ``height`` rows of equal length, or, with 0, a square, before which
    there may be one class token; that has no place and does not count. A single region has no spread.

    Args:
        region_dim: D, channels of a region.
        word_vectors: v, a vector per semantic, ``[S, L]``; saved with the model.
        compactness_weight: 0 or more.
        decorrelation_weight: 0 or more.
        height: rows of the map, or 0.
    """

    word_vectors: Float[Tensor, "S L"]
    groups: Int[Tensor, "S"]

    def __init__(
        self,
        region_dim: int,
        word_vectors: Float[Tensor, "S L"],
        compactness_weight: float = 0.2,
        decorrelation_weight: float = 0.01,
        height: int = 0,
    ) -> None:
        super().__init__()
        for name, weight in (
            ("compactness_weight", compactness_weight),
            ("decorrelation_weight", decorrelation_weight),
        ):
            if not 0 <= weight < float("inf"):
                raise ArgumentError(f"{name}: expected a finite number of at least 0, got {weight}")
        if height < 0:
            raise ArgumentError(f"height: expected the rows of the map, or 0 for a square one, got {height}")
        num_semantics, vector_dim = word_vectors.shape
        self.compactness_weight, self.decorrelation_weight = compactness_weight, decorrelation_weight
        self.height = height
        self.register_buffer("word_vectors", word_vectors.clone())
        self.register_buffer("groups", torch.zeros(num_semantics, dtype=torch.int64))
        self.query = nn.Linear(vector_dim, region_dim, bias=False)
        self.pooled = nn.Linear(region_dim, num_semantics)
        self.attended = nn.Parameter(torch.empty(num_semantics, region_dim))
        nn.init.kaiming_uniform_(self.attended, a=5**0.5)

    @classmethod
    def build(
        cls,
        region_dim: int,
        word_vectors: Float[Tensor, "S L"],
        compactness_weight: float = 0.2,
        decorrelation_weight: float = 0.01,
        height: int = 0,
    ) -> "GEMNet":
        """A new network.

        Args:
            region_dim: D.
            word_vectors: a vector per semantic, ``[S, L]``.
            compactness_weight: weight of the spread of attention maps in training, 0 or more.
            decorrelation_weight: weight of the channels that groups of attributes share, 0 or more.
            height: rows of the map that regions lie on, 0 for a square one.
        """
        return cls(region_dim, word_vectors, compactness_weight, decorrelation_weight, height)

    def architecture(self) -> dict[str, Any]:
        """The sizes of all parameters, and the options."""
        return {
            "region_dim": self.query.out_features,
            "num_semantics": len(self.word_vectors),
            "vector_dim": self.word_vectors.shape[1],
            "compactness_weight": self.compactness_weight,
            "decorrelation_weight": self.decorrelation_weight,
            "height": self.height,
        }

    @classmethod
    def restore(cls, architecture: dict[str, Any]) -> "GEMNet":
        """A network of the given shape; word vectors and groups come with the ``state_dict``."""
        sizes = dict(architecture)
        word_vectors = torch.zeros(sizes.pop("num_semantics"), sizes.pop("vector_dim"))
        return cls(word_vectors=word_vectors, **sizes)

    def set_groups(self, groups: Sequence[str]) -> None:
        """Take the name of each attribute's group, S names."""
        if len(groups) != len(self.groups):
            raise ArgumentError(f"groups: expected {len(self.groups)} names, one per semantic, got {len(groups)}")
        number = {name: position for position, name in enumerate(dict.fromkeys(groups))}
        self.groups.copy_(torch.tensor([number[name] for name in groups]))

    def slow_parameters(self) -> list[nn.Parameter]:
        """The queries: at the full rate they outgrow the read-outs."""
        return list(self.query.parameters())

    def forward(self, regions: Regions) -> Predictions:
        """Predict semantics, ``[B, R, D] -> [B, S]``."""
        return self._predict(regions, self.attention(regions))

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """How much each semantic looks at each region; sums to 1 over regions."""
        return torch.matmul(self.query(self.word_vectors), regions.mT).softmax(dim=2)

    def training_forward(self, regions: Regions, target: Predictions) -> TrainingOutput:
        """Predict semantics, with each sample's penalty.

        Raises:
            ArgumentError: the regions are no map of the height that the options say.
        """
        attention = self.attention(regions)
        penalty = (self.decorrelation_weight * decorrelation(self.attended, self.groups)).expand(len(regions))
        if self.compactness_weight > 0:
            first, height = self._map(regions.shape[1])
            penalty = penalty + self.compactness_weight * compactness(attention[:, :, first:], height)
        return TrainingOutput(self._predict(regions, attention), penalty)

    def _predict(self, regions: Regions, attention: Float[Tensor, "B S R"]) -> Predictions:
        local = torch.matmul(self.attended, regions.mT)
        prediction: Tensor = self.pooled(regions.mean(dim=1)) + (attention * local).sum(dim=2)
        return prediction

    def _map(self, regions: int) -> tuple[int, int]:
        """The first region that lies on the map, and the map's rows."""
        for first in (0, 1):
            height = self.height or math.isqrt(regions - first)
            cells = regions - first
            if cells and (cells % height == 0 if self.height else height**2 == cells):
                return first, height
        wanted = f"rows of {self.height} equal lengths" if self.height else "a square map"
        raise ArgumentError(
            f"regions: expected {wanted}, or that and a class token, got {regions} regions; "
            f"set height to the map's rows, or compactness_weight to 0"
        )

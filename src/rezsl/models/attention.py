"""Models with attention over image regions for each attribute: AttentionNet and GEM-Net."""

import math
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import ArgumentError, check_at_least, check_choice, check_not_negative, check_positive
from rezsl.functional import CollapsedAttention, attend, attention_map, place_shares
from rezsl.functional.attention import compactness, decorrelation
from rezsl.functional.shapes import Predictions, Regions
from rezsl.models._semantic_model import Described, SemanticModel, TrainingOutput, word_vectors_of

OutputInit = Literal["zeros", "uniform"]


class AttentionNet(SemanticModel, name="attention"):
    """Predicts each attribute from the mean region and from the regions that its word vector attends to.

    This is the network of Rebalanced Zero-shot Learning, III-C, in the collapsed form of
    :mod:`rezsl.functional.attention`: parameters, outputs and gradients are those of the literal network, but two S × D
    products per image replace five larger ones. Without gradients (inference) the collapsed matrices are computed once
    and reused until a parameter changes.

    Args:
        region_dim: D, channels of a region.
        semantics: the table whose S attributes are predicted. Its word vectors are the queries, one-hot vectors where
            it has none. If it has places (see :func:`rezsl.functional.place_shares`), the regions at an attribute's
            place replace the mean region, and attention starts from them; without places this is the paper's network.
            The word vectors alone, ``[S, L]``, can be given instead of a table.
        attention_dim: width of queries, keys and values, at least 1.
        hidden_dim: width of a linear layer between the attended regions and the read-out, 0 for none.
        ratio: factor of the attended part beside the mean region, 0 or more: mean_r F_r + ratio · z_s is read out.
        readout_std: standard deviation of the normal distribution that the read-out's first weights are drawn from;
            None draws them uniformly between ±1/√N, N being the length of a read-out row. The published code has 1.
        output_init: first weights of the layer after attention. ``zeros`` lets attention grow beside a read-out that
            works, ``uniform`` draws them between ±1/√attention_dim, as the published code does.
    """

    # Queries, keys, values and output overfit at the full rate, because they outgrow the read-out.
    slow_parts = ("query", "key", "value", "output")
    readout_parts = ("readout",)
    word_vectors: Float[Tensor, "S L"]
    places: Float[Tensor, "S 3"] | None

    def __init__(
        self,
        region_dim: int,
        semantics: Described,
        attention_dim: int = 64,
        hidden_dim: int = 0,
        ratio: float = 1.0,
        readout_std: float | None = None,
        output_init: OutputInit = "zeros",
    ) -> None:
        super().__init__()
        check_at_least(1, region_dim=region_dim, attention_dim=attention_dim)
        check_at_least(0, hidden_dim=hidden_dim)
        check_not_negative(ratio=ratio)
        if readout_std is not None:
            check_positive(readout_std=readout_std)
        check_choice(OutputInit, output_init=output_init)
        self.ratio, self.readout_std = ratio, readout_std
        word_vectors = word_vectors_of(semantics)
        num_semantics, vector_dim = word_vectors.shape
        # These buffers come from the table, which is saved with the classifier, so they are not saved a second time.
        self.register_buffer("word_vectors", word_vectors.clone(), persistent=False)
        self.register_buffer("places", getattr(semantics, "places", None), persistent=False)
        self.query = nn.Linear(vector_dim, attention_dim)
        self.key = nn.Linear(region_dim, attention_dim, bias=False)
        self.value = nn.Linear(region_dim, attention_dim)
        self.output = nn.Linear(attention_dim, region_dim)
        self.hidden = nn.Linear(region_dim, hidden_dim) if hidden_dim else None
        self.readout = nn.Parameter(torch.empty(num_semantics, hidden_dim or region_dim))
        self.reset_readout()
        if output_init == "zeros":
            nn.init.zeros_(self.output.weight)
        self._cached: tuple[tuple[Any, ...], CollapsedAttention] | None = None

    def reset_readout(self) -> None:
        """Give the read-out new random weights."""
        if self.readout_std is None:
            super().reset_readout()
        else:
            nn.init.normal_(self.readout, std=self.readout_std)

    def forward(self, regions: Regions) -> Predictions:
        """Predict attributes, ``[B, R, D] -> [B, S]``."""
        return attend(regions, self._collapsed(), self._shares(regions))

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """Return the attention of each attribute to each region; see :class:`HasAttention`."""
        return attention_map(regions, self._collapsed().where, self._shares(regions))

    def _shares(self, regions: Regions) -> Float[Tensor, "S R"] | None:
        return place_shares(self.places, regions.shape[1]).to(regions.dtype) if self.places is not None else None

    def train(self, mode: bool = True) -> "AttentionNet":
        """Switch between training and evaluation, and discard the collapsed matrices."""
        self._cached = None
        return super().train(mode)

    def collapse(self) -> CollapsedAttention:
        """Multiply the parameters into the matrices of the collapsed form; differentiable."""
        pooled: Tensor = self.readout
        of_hidden = self.readout.new_zeros(())
        if self.hidden is not None:
            pooled, of_hidden = self.readout @ self.hidden.weight, self.readout @ self.hidden.bias
        # The ratio multiplies the output layer with its bias.
        attended = self.ratio * pooled
        through_output = attended @ self.output.weight
        return CollapsedAttention(
            where=self.query(self.word_vectors) @ self.key.weight,
            what=through_output @ self.value.weight,
            pooled=pooled,
            constant=through_output @ self.value.bias + attended @ self.output.bias + of_hidden,
        )

    def _collapsed(self) -> CollapsedAttention:
        if torch.is_grad_enabled() or any(tensor.is_inference() for tensor in self._parts()):
            return self.collapse()
        # A tensor's version counts every in-place change, such as an optimizer step or a loaded state_dict. Autocast is
        # part of the key, because matrices in half precision must not be used in a call with full precision.
        autocast = torch.is_autocast_enabled(self.readout.device.type)
        key = (autocast, *((part.data_ptr(), part._version, part.dtype, part.device) for part in self._parts()))
        if self._cached is None or self._cached[0] != key:
            self._cached = (key, self.collapse())
        return self._cached[1]

    def _parts(self) -> list[Tensor]:
        return [*self.parameters(), self.word_vectors]


class GEMNet(SemanticModel, name="gem"):
    """Â_s = ⟨mean_r F_r, P_s⟩ + ⟨Σ_r a_sr F_r, Q_s⟩ + b_s with a_s = softmax over regions of ⟨W v_s, F_r⟩.

    In training, ``compactness_weight`` times the spread of the attention maps of each sample is added to the objective,
    and ``decorrelation_weight`` times the norms of Q's channels within attribute groups, see
    :mod:`rezsl.functional.attention`. Without attribute groups all attributes form one group, and the second term only
    reduces the number of channels that are used.

    This is the attribute attention of Liu et al., CVPR 2021, with its two penalties. The branches of the original are
    summed to one prediction with the losses of :func:`rezsl.fit`, and its recorded gazes are left out, because other
    data sets have none.

    For the spread, regions must form a map with ``height`` rows of equal length, or a square map if ``height`` is 0. A
    class token may precede the map; it has no position and is left out. A single region has no spread.

    Args:
        region_dim: D, channels of a region.
        semantics: the table whose S attributes are predicted, with its word vectors v (one-hot vectors where it has
            none) and its attribute groups. The word vectors alone, ``[S, L]``, can be given instead.
        compactness_weight: weight of the spread of attention maps in training, 0 or more.
        decorrelation_weight: weight of the channels that attribute groups share, 0 or more.
        height: number of rows of the map of regions, 0 for a square map.
    """

    slow_parts = ("query",)  # it outgrows the read-outs at the full rate
    word_vectors: Float[Tensor, "S L"]
    groups: Int[Tensor, "S"]

    def __init__(
        self,
        region_dim: int,
        semantics: Described,
        compactness_weight: float = 0.2,
        decorrelation_weight: float = 0.01,
        height: int = 0,
    ) -> None:
        super().__init__()
        check_not_negative(compactness_weight=compactness_weight, decorrelation_weight=decorrelation_weight)
        if height < 0:
            raise ArgumentError(f"height: expected the rows of the map, or 0 for a square one, got {height}")
        self.compactness_weight, self.decorrelation_weight = compactness_weight, decorrelation_weight
        self.height = height
        word_vectors = word_vectors_of(semantics)
        num_semantics, vector_dim = word_vectors.shape
        names = getattr(semantics, "groups", None) or [""] * num_semantics
        distinct = list(dict.fromkeys(names))
        groups = torch.tensor([distinct.index(name) for name in names])
        self.register_buffer("word_vectors", word_vectors.clone(), persistent=False)
        self.register_buffer("groups", groups, persistent=False)
        self.query = nn.Linear(vector_dim, region_dim, bias=False)
        self.pooled = nn.Linear(region_dim, num_semantics)
        self.attended = nn.Parameter(torch.empty(num_semantics, region_dim))
        nn.init.kaiming_uniform_(self.attended, a=5**0.5)

    def forward(self, regions: Regions) -> Predictions:
        """Predict attributes, ``[B, R, D] -> [B, S]``."""
        return self._predict(regions, self.attention(regions))

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """Return the attention of each attribute to each region; see :class:`HasAttention`."""
        return torch.matmul(self.query(self.word_vectors), regions.mT).softmax(dim=2)

    def training_forward(self, regions: Regions, target: Predictions) -> TrainingOutput:
        """Predict attributes, and compute the penalty of each sample; regions that form no map are an ArgumentError."""
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
        """Return the position of the first region of the map, and the number of rows of the map."""
        for first, cells in ((0, regions), (1, regions - 1)):
            height = self.height or math.isqrt(cells)
            if cells and (cells % height == 0 if self.height else height**2 == cells):
                return first, height
        expected = f"rows of {self.height} equal lengths" if self.height else "a square map"
        raise ArgumentError(
            f"regions: expected {expected}, or the same and a class token, got {regions} regions; "
            f"set height to the map's rows, or compactness_weight to 0"
        )

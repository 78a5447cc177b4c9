"""AttentionNet, which attends to image regions for each attribute."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import check_at_least, check_choice, check_not_negative, check_positive
from rezsl.functional import CollapsedAttention, attend, attention_map, place_shares
from rezsl.functional.shapes import Predictions, Regions
from rezsl.models._semantic_model import Described, SemanticModel, word_vectors_of

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
        uncached = torch.is_grad_enabled() or torch.compiler.is_compiling()
        if uncached or any(tensor.is_inference() for tensor in self._parts()):
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

"""AttentionNet: each semantic looks at its own image region (Rebalanced Zero-shot Learning, section III-C)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional import CollapsedAttention, attend, attention_map, place_shares
from rezsl.functional.shapes import Predictions, Regions
from rezsl.models.semantic_model import SemanticModel


class AttentionNet(SemanticModel):
    """Predicts each semantic from the mean region and from the regions that its word vector attends to.

    Computed in the collapsed form of :mod:`rezsl.functional.attention`: the same parameters, outputs and gradients as
    the literal network, with two S × D products per image instead of five larger ones. Without gradients (inference)
    the collapsed matrices are computed once and kept until a parameter changes.

    Args:
        region_dim: D, channels of a region.
        word_vectors: V, a vector per semantic, ``[S, L]``; saved with the model.
        attention_dim: width of queries, keys and values.
        hidden_dim: width of a linear layer between the attended regions and the read-out, 0 for none.
        places: where in the image each semantic is to be seen, ``[S, 3]``, see :func:`rezsl.functional.place_shares`;
            its own regions then take the place of the mean region, and attention starts from them. None, the paper's
            network, knows nothing of places.
    """

    word_vectors: Float[Tensor, "S L"]
    places: Float[Tensor, "S 3"] | None

    def __init__(
        self,
        region_dim: int,
        word_vectors: Float[Tensor, "S L"],
        attention_dim: int,
        hidden_dim: int = 0,
        places: Float[Tensor, "S 3"] | None = None,
    ) -> None:
        super().__init__()
        for name, size, least in (
            ("region_dim", region_dim, 1),
            ("attention_dim", attention_dim, 1),
            ("hidden_dim", hidden_dim, 0),
        ):
            if size < least:
                raise ArgumentError(f"{name}: expected a whole number of at least {least}, got {size}")
        num_semantics, vector_dim = word_vectors.shape
        self.register_buffer("word_vectors", word_vectors.clone())
        self.register_buffer("places", None)
        if places is not None:
            self.set_places(places)
        self.query = nn.Linear(vector_dim, attention_dim)
        self.key = nn.Linear(region_dim, attention_dim, bias=False)
        self.value = nn.Linear(region_dim, attention_dim)
        self.output = nn.Linear(attention_dim, region_dim)
        self.hidden = nn.Linear(region_dim, hidden_dim) if hidden_dim else None
        self.readout = nn.Parameter(torch.empty(num_semantics, hidden_dim or region_dim))
        nn.init.kaiming_uniform_(self.readout, a=5**0.5)
        # What the attended regions add starts at zero: the network learns where to look from a working read-out.
        nn.init.zeros_(self.output.weight)
        self._kept: tuple[tuple[Any, ...], CollapsedAttention] | None = None

    @classmethod
    def build(
        cls, region_dim: int, word_vectors: Float[Tensor, "S L"], attention_dim: int = 64, hidden_dim: int = 0
    ) -> "AttentionNet":
        """A new network.

        Args:
            region_dim: D.
            word_vectors: a vector per semantic, ``[S, L]``.
            attention_dim: width of queries, keys and values.
            hidden_dim: width of a linear layer before the read-out, 0 for none.
        """
        return cls(region_dim, word_vectors, attention_dim, hidden_dim)

    def architecture(self) -> dict[str, Any]:
        """The sizes of all parameters."""
        return {
            "region_dim": self.key.in_features,
            "num_semantics": len(self.word_vectors),
            "vector_dim": self.word_vectors.shape[1],
            "attention_dim": self.key.out_features,
            "hidden_dim": self.hidden.out_features if self.hidden is not None else 0,
            "has_places": self.places is not None,
        }

    @classmethod
    def restore(cls, architecture: dict[str, Any]) -> "AttentionNet":
        """A network of the given shape; its word vectors and places come with the ``state_dict``."""
        sizes = dict(architecture)
        word_vectors = torch.zeros(sizes.pop("num_semantics"), sizes.pop("vector_dim"))
        places = torch.zeros(len(word_vectors), 3) if sizes.pop("has_places", False) else None
        return cls(word_vectors=word_vectors, places=places, **sizes)

    def set_places(self, places: Float[Tensor, "S 3"]) -> None:
        """Take where in the image each semantic is to be seen."""
        if len(places) != len(self.word_vectors):
            raise ArgumentError(f"places: expected {len(self.word_vectors)} rows, one per semantic, got {len(places)}")
        self.places = places.clone()

    def slow_parameters(self) -> list[nn.Parameter]:
        """Queries, keys, values and their output: at the full rate they outgrow the pooled read-out and overfit."""
        return [
            parameter for part in (self.query, self.key, self.value, self.output) for parameter in part.parameters()
        ]

    def readout_parameters(self) -> list[nn.Parameter]:
        """A row per semantic."""
        return [self.readout]

    def forward(self, regions: Regions) -> Predictions:
        """Predict semantics, ``[B, R, D] -> [B, S]``."""
        return attend(regions, self._collapsed(), self._shares(regions))

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """How much each semantic looks at each region, ``[B, R, D] -> [B, S, R]``; sums to 1 over regions."""
        return attention_map(regions, self._collapsed().where, self._shares(regions))

    def _shares(self, regions: Regions) -> Float[Tensor, "S R"] | None:
        return place_shares(self.places, regions.shape[1]).to(regions.dtype) if self.places is not None else None

    def train(self, mode: bool = True) -> "AttentionNet":
        """Switch between training and evaluation; what was kept for inference is dropped."""
        self._kept = None
        return super().train(mode)

    def collapse(self) -> CollapsedAttention:
        """Multiply out the parameters; differentiable."""
        readout, constant = self.readout, self.output.bias
        if self.hidden is not None:
            pooled = readout @ self.hidden.weight
            constant_of_hidden = readout @ self.hidden.bias
        else:
            pooled, constant_of_hidden = readout, readout.new_zeros(())
        through_output = pooled @ self.output.weight
        return CollapsedAttention(
            where=self.query(self.word_vectors) @ self.key.weight,
            what=through_output @ self.value.weight,
            pooled=pooled,
            constant=through_output @ self.value.bias + pooled @ constant + constant_of_hidden,
        )

    def _collapsed(self) -> CollapsedAttention:
        if torch.is_grad_enabled() or any(tensor.is_inference() for tensor in self._parts()):
            return self.collapse()
        # A tensor's version counts every in-place change, so an optimizer step or a loaded state_dict shows here.
        # Autocast is part of the key: what it makes in half precision must not serve a full-precision call.
        autocast = torch.is_autocast_enabled(self.readout.device.type)
        key = (autocast, *((part.data_ptr(), part._version, part.dtype, part.device) for part in self._parts()))
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self.collapse())
        return self._kept[1]

    def _parts(self) -> list[Tensor]:
        return [*self.parameters(), self.word_vectors]

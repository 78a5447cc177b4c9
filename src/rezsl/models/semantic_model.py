"""What every architecture has in common: regions in, semantics out."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from rezsl.functional import class_scores
from rezsl.functional.shapes import ClassMatrix, Pooled, Predictions, Scores


class TrainingOutput(NamedTuple):
    """What training sees of a model.

    Attributes:
        prediction: predicted semantics, ``[B, S]``.
        penalty: what each sample adds to the objective besides the losses on its prediction, ``[B]``.
    """

    prediction: Predictions
    penalty: Float[Tensor, "B"]


class SemanticModel(nn.Module, ABC):
    """Predicts every semantic from the regions of an image.

    ``architecture()`` and the ``state_dict`` together are all that a saved model needs: ``restore`` builds the same
    network from them.

    Attributes:
        whole_batches: whether ``training_forward`` must be called once per batch, because it keeps something of it.
    """

    whole_batches: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def build(cls, region_dim: int, word_vectors: Float[Tensor, "S L"]) -> "SemanticModel":
        """A new network for regions of ``region_dim`` channels and one output per row of ``word_vectors``.

        Further keyword arguments are the architecture's own options.
        """

    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """The sizes that, given to the constructor by name, make a network of the same shape."""

    @classmethod
    def restore(cls, architecture: dict[str, Any]) -> "SemanticModel":
        """A network of the given shape, for a ``state_dict`` to be loaded into."""
        return cls(**architecture)

    def slow_parameters(self) -> list[nn.Parameter]:
        """Parameters that are best learnt at a fraction of the learning rate; none unless an architecture says so."""
        return []

    def readout_parameters(self) -> list[nn.Parameter]:
        """Parameters of the last layer, which a training in two stages learns anew; none unless a model says so."""
        return []

    def reset_readout(self) -> None:
        """Give the read-out new random weights, and biases of 0."""
        for parameter in self.readout_parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_uniform_(parameter, a=5**0.5)
            else:
                nn.init.zeros_(parameter)

    def prepare(self, class_semantics: Float[Tensor, "K S"]) -> None:
        """Tell the model, before training, the semantics of the classes in training; most models need not know."""

    def set_places(self, places: Float[Tensor, "S 3"]) -> None:
        """Tell a new model where in the image each semantic is to be seen; most models need not know.

        Args:
            places: y, x and σ of each semantic, see :func:`rezsl.functional.place_shares`.
        """

    def start_epoch(self) -> None:
        """Tell the model that an epoch of training begins; most models need not know."""

    @abstractmethod
    def forward(self, regions: Pooled) -> Predictions:
        """Predict semantics, ``[B, …, D] -> [B, S]``."""

    def training_forward(self, regions: Pooled, target: Predictions) -> TrainingOutput:
        """Predict the semantics of training samples, whose true ones ``[B, S]`` are known; no penalty by default."""
        prediction = self(regions)
        return TrainingOutput(prediction, prediction.new_zeros(len(prediction)))

    def class_scores(self, predictions: Predictions, class_semantics: ClassMatrix, scale: float) -> Scores:
        """How well predictions fit each class, ``[B, S], [C, S] -> [B, C]``: cosine, unless a method says otherwise."""
        return class_scores(predictions, class_semantics, scale)


def pool(regions: Pooled) -> Float[Tensor, "B D"]:
    """Mean over the regions; features that have none pass as they are."""
    return regions.flatten(1, -2).mean(dim=1) if regions.ndim > 2 else regions

"""The base class of all models, and what a model can do besides predicting."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional import class_scores
from rezsl.functional.shapes import ClassMatrix, ClassVectors, Labels, Outputs, Pooled, Predictions, Regions, Scores
from rezsl.records import Recorded
from rezsl.semantics import ClassSemantics

Described = ClassSemantics | Float[Tensor, "S L"]
"""A table of class semantics or, outside rezsl's own training, the word vectors of its attributes alone."""


class TrainingOutput(NamedTuple):
    """The output of a model for training samples.

    Attributes:
        prediction: the model's output, ``[B, E]``; see :meth:`SemanticModel.forward`.
        penalty: a number that each sample adds to the objective besides the losses on its prediction, ``[B]``.
    """

    prediction: Outputs
    penalty: Float[Tensor, "B"]


class SemanticModel(nn.Module, Recorded, ABC):
    """Computes numbers from the regions of an image, by which any described class is scored.

    For most models these numbers are the predicted attributes themselves. A model that scores classes in another space,
    such as that of the features, overrides :meth:`class_scores`, and :meth:`attributes_of` or ``predicts_attributes``.

    The constructor is the only description of a model. Its first two parameters are ``region_dim`` and ``semantics``;
    all others are options with defaults and values that JSON can hold. The command line reads the options from the
    signature, a saved model contains their values, and :func:`rezsl.load_model` calls the constructor with them.

    ``class MyModel(SemanticModel, name="my_model")`` registers the class in :data:`rezsl.models.MODELS`, so that
    ``rezsl fit --model my_model`` finds it.

    Attributes:
        whole_batches: whether ``training_forward`` must be called once per batch, because it keeps a state between
            calls.
        gathers_batches: whether such a model gathers what it keeps from all processes of a training, by
            :func:`rezsl.processes.gathered`. Without that it is trained by one process only.
        predicts_attributes: whether ``attributes_of`` outputs are defined by the model. Otherwise they are those that
            the scores of the seen classes let expect, see :meth:`rezsl.ZeroShotClassifier.attributes_of`.
        scores_are_cosines: whether ``class_scores`` are cosines of attributes times the scale, so that each attribute
            has a share in them. A class that overrides ``class_scores`` or ``class_vectors`` has none unless it sets
            this attribute.
        scaled_features: whether features, and regions of a store, are centered and scaled before they reach the model.
        caution: what readers of the model's figures must know, as a part of a sentence; every record and table has it.
        failure: what went wrong in the training of this model, as a part of a sentence; every record and table has it.
        not_exported: why no exported file can hold the model, as a part of a sentence; empty where one can.
        slow_parts: names of the layers and parameters that learn at a fraction of the learning rate.
        readout_parts: names of those of the last layer, which training in two stages trains again.
    """

    whole_batches: ClassVar[bool] = False
    gathers_batches: ClassVar[bool] = False
    predicts_attributes: ClassVar[bool] = True
    scores_are_cosines: ClassVar[bool] = True
    scaled_features: bool = True
    caution: ClassVar[str] = ""
    failure: str = ""
    not_exported: ClassVar[str] = ""
    slow_parts: ClassVar[tuple[str, ...]] = ()
    readout_parts: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, name: str | None = None, **options: Any) -> None:
        """Check the constructor's parameters and register the class by its short name."""
        super().__init_subclass__(**options)
        parameters = list(inspect.signature(cls.__init__).parameters)[1:]
        if "__init__" in vars(cls) and parameters[:2] != ["region_dim", "semantics"]:
            raise ArgumentError(
                f"{cls.__name__}: expected a constructor (region_dim, semantics, <options>), got "
                f"({', '.join(parameters)}); rename its first two parameters"
            )
        if {"class_scores", "class_vectors"} & set(vars(cls)):
            cls.scores_are_cosines = vars(cls).get("scores_are_cosines", False)
        if name is None:
            return
        other = MODELS.get(name, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ArgumentError(
                f"name: expected one that no other model has, got {name!r} of {other.__qualname__}; choose another name"
            )
        MODELS[name] = cls

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of the constructor by name, without ``region_dim`` and ``semantics``."""
        return {name: value for name, value in self.arguments.items() if name not in ("region_dim", "semantics")}

    def with_own_columns(self, semantics: ClassSemantics) -> ClassSemantics:
        """Return a table with the word vectors, groups and places that the model was made with.

        Raises:
            ArgumentError: the model was made with other attributes.
        """
        own: Described = self.arguments["semantics"]
        if isinstance(own, Tensor):
            return semantics.with_word_vectors(own)
        if own.attributes != semantics.attributes:
            raise ArgumentError(
                f"semantics: expected the {len(own.attributes)} attributes that the network was made with, got "
                f"{len(semantics.attributes)} other ones; make the network with the same table"
            )
        return replace(semantics, word_vectors=own.word_vectors, groups=own.groups, places=own.places)

    def parameters_of(self, parts: Sequence[str]) -> list[nn.Parameter]:
        """Return the parameters of the named layers, and the parameters with these names."""
        return [parameter for name, parameter in self.named_parameters() if name.partition(".")[0] in parts]

    def reset_readout(self) -> None:
        """Give the read-out new random weights, and biases of 0."""
        for parameter in self.parameters_of(self.readout_parts):
            if parameter.ndim > 1:
                nn.init.kaiming_uniform_(parameter, a=5**0.5)
            else:
                nn.init.zeros_(parameter)

    def prepare(self, class_semantics: Float[Tensor, "K S"]) -> None:
        """Receive the attributes of the training classes before training begins; by default nothing happens."""

    def start_epoch(self) -> None:
        """Begin an epoch of training; by default nothing happens."""

    @abstractmethod
    def forward(self, regions: Pooled) -> Outputs:
        """Compute what :meth:`class_scores` and :meth:`attributes_of` need of an image, ``[B, …, D] -> [B, E]``.

        For most models these are the predicted attributes, so that E is S.
        """

    def attributes_of(self, outputs: Outputs) -> Predictions:
        """Return the attributes that outputs ``[B, E]`` predict, ``[B, S]``; by default the outputs themselves."""
        return outputs

    def training_forward(self, regions: Pooled, target: Predictions) -> TrainingOutput:
        """Compute outputs of samples with the true attributes ``target`` ``[B, S]``; by default without a penalty."""
        prediction = self(regions)
        return TrainingOutput(prediction, prediction.new_zeros(len(prediction)))

    def class_vectors(self, classes: ClassSemantics) -> ClassVectors:
        """Return the numbers by which ``class_scores`` recognises each class, ``[C, V]``; by default its attributes."""
        return classes.values

    def class_scores(self, predictions: Outputs, class_semantics: ClassVectors, scale: float) -> Scores:
        """Score outputs against ``class_vectors``, ``[B, E], [C, V] -> [B, C]``; by default cosine × scale."""
        return class_scores(predictions, class_semantics, scale)


MODELS: dict[str, type[SemanticModel]] = {}
"""Every named model by its short name, which is also its name on the command line."""


@runtime_checkable
class HasAttention(Protocol):
    """A model that weights the regions of an image for each attribute."""

    def attention(self, regions: Regions) -> Float[Tensor, "B S R"]:
        """Return the weight of each region for each attribute, ``[B, R, D] -> [B, S, R]``; sums to 1 over regions."""


@runtime_checkable
class ClosedForm(Protocol):
    """A model whose weights one pass over the training samples determines.

    :func:`rezsl.fit` solves for them instead of training by gradient descent.
    """

    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights.

        Args:
            batches: regions ``[B, …, D]`` (or features) and labels ``[B]`` of all training samples; iterated once.
            class_semantics: attributes of the K training classes, ``[K, S]``; labels are rows of it.
        """


@runtime_checkable
class HasOwnTraining(Protocol):
    """A model with losses and optimizers of its own, which :func:`rezsl.fit` trains on features.

    The settings of the training that apply are ``max_epochs``, ``patience``, ``seed``, ``accelerator`` and those of the
    protocol.
    """

    def train_epochs(
        self, features: Float[Tensor, "N D"], labels: Int[Tensor, "N"], class_semantics: ClassMatrix, max_epochs: int
    ) -> Iterator[Mapping[str, float]]:
        """Train anew, and after each epoch, when the model can score classes, yield its losses.

        The caller ends the training by asking for no further epoch. Random numbers are those of PyTorch's global
        generators, which are seeded before each epoch.

        Args:
            features: features of all training samples, ``[N, D]``.
            labels: rows of the class semantics, ``[N]``.
            class_semantics: attributes of the K training classes, ``[K, S]``.
            max_epochs: the epochs that schedules are laid over, and the most that are yielded.

        Yields:
            The mean of each loss over the epoch; one is named ``total``.
        """


def word_vectors_of(semantics: Described) -> Float[Tensor, "S L"]:
    """Return the vector of each attribute's name."""
    return semantics if isinstance(semantics, Tensor) else semantics.query_vectors


def attribute_groups(semantics: Described) -> Int[Tensor, "S"]:
    """Return the number of each attribute's group, from 0; without groups all attributes form one."""
    names = getattr(semantics, "groups", None) or [""] * len(word_vectors_of(semantics))
    distinct = list(dict.fromkeys(names))
    return torch.tensor([distinct.index(name) for name in names])


def pool(regions: Pooled) -> Float[Tensor, "B D"]:
    """Average over the regions; feature vectors, which have none, are returned unchanged."""
    return regions.flatten(1, -2).mean(dim=1) if regions.ndim > 2 else regions

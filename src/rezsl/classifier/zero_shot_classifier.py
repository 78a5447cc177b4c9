"""A trained model in memory: everything between an image and a class name."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from rezsl.data import Crop, FeatureFormat, ImageFormat
from rezsl.errors import ArgumentError, check_choice, check_positive
from rezsl.functional.shapes import Predictions, Protocol, Scores
from rezsl.models import SemanticModel, TrainingOutput
from rezsl.regions import Backbone, ImageBackbone
from rezsl.semantics import ClassSemantics


class Ranked(NamedTuple):
    """A candidate class for one input.

    Attributes:
        name: of the class.
        score: calibrated score.
        probability: softmax of the calibrated scores over all candidates.
        seen: whether the model was trained on images of it.
    """

    name: str
    score: float
    probability: float
    seen: bool


class ZeroShotClassifier(nn.Module):
    """Backbone, semantic model and class semantics: recognises any class that the semantics describe.

    Args:
        backbone: inputs to regions.
        network: regions to predicted semantics.
        semantics: the classes known at training time; others can be given when predicting. Word vectors, groups and
            places are replaced by those that the network was made with, so that a saved model gives the same network.
        seen_classes: names of the classes that were trained on.
        gamma: γ of calibrated stacking: what the scores of seen classes lose, so that they do not win by habit.
        scale: scale of the cosine scores.
        protocol: ``oracle`` if epoch and γ were chosen on test classes, as published results did; it goes wherever the
            model goes, so that no table passes it for an honest one.
    """

    def __init__(
        self,
        backbone: Backbone,
        network: SemanticModel,
        semantics: ClassSemantics,
        seen_classes: Sequence[str],
        gamma: float = 0.0,
        scale: float = 20.0,
        protocol: Protocol = "honest",
    ) -> None:
        super().__init__()
        semantics = _as_network_reads_it(semantics, network)
        semantics.index(seen_classes)
        check_positive(scale=scale)
        if not math.isfinite(gamma):
            raise ArgumentError(f"gamma: expected a finite number, got {gamma!r}")
        check_choice(Protocol, protocol=protocol)
        self.backbone, self.network = backbone, network
        self.semantics, self.seen_classes = semantics, tuple(seen_classes)
        self.gamma, self.scale, self.protocol = gamma, scale, protocol

    def forward(self, inputs: Tensor) -> Predictions:
        """Predicted semantics of a batch of inputs, ``[B, S]``."""
        predictions: Tensor = self.network(self.backbone(inputs))
        return predictions

    def training_forward(self, inputs: Tensor, target: Predictions) -> TrainingOutput:
        """Predicted semantics of training inputs, whose true ones ``[B, S]`` are known, and the network's penalty."""
        return self.network.training_forward(self.backbone(inputs), target)

    @property
    def input_format(self) -> FeatureFormat | ImageFormat:
        """How inputs are read for the backbone."""
        if isinstance(self.backbone, ImageBackbone):
            return ImageFormat(self.backbone.image_size, self.backbone.channels, self.backbone.resize)
        return FeatureFormat(self.backbone.region_dim)

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return next(self.network.parameters()).device

    @torch.inference_mode()
    def predict_semantics(
        self,
        inputs: Tensor | Sequence[Path | Crop],
        batch_size: int = 256,
        index: Int[Tensor, "N"] | None = None,
    ) -> Predictions:
        """Predicted semantics of many inputs, on the CPU; the model's mode (training or not) is left as it was.

        Args:
            inputs: features, images or files, as for :meth:`classify`.
            batch_size: inputs per forward pass.
            index: which of them, in which order; None takes all.
        """
        index = torch.arange(len(inputs)) if index is None else index
        read, was_training = self.input_format.read, self.training
        self.eval()
        try:
            parts = [self(read(inputs, part).to(self.device)).cpu() for part in index.split(batch_size) if len(part)]
        finally:
            self.train(was_training)
        return torch.cat(parts) if parts else torch.empty(0, len(self.semantics.attributes))

    def scores(self, predictions: Predictions, candidates: ClassSemantics | None = None) -> Scores:
        """Calibrated scores of the candidate classes, less γ for those trained on: mostly cosine × scale.

        Args:
            predictions: predicted semantics, ``[B, S]``.
            candidates: any classes described by the same attributes, joined by name; None means the classes known
                at training time. Classes that no training ever saw need no retraining.
        """
        candidates = self.semantics if candidates is None else self.semantics.with_classes_of(candidates)
        is_seen = torch.tensor([name in self.seen_classes for name in candidates.classes], device=predictions.device)
        values = candidates.values.to(predictions.device)
        return self.network.class_scores(predictions, values, self.scale) - self.gamma * is_seen

    def classify(
        self, inputs: Tensor | Sequence[Path | Crop], candidates: ClassSemantics | None = None, top: int = 1
    ) -> list[list[Ranked]]:
        """The best classes of each input, best first.

        Args:
            inputs: features ``[N, D]``, images ``[N, channels, H, W]`` (uint8), N image paths or boxes, as in training.
            candidates: as for :meth:`scores`.
            top: how many classes to give for each input; all if there are fewer.
        """
        if top < 1:
            raise ArgumentError(f"top: expected at least 1, got {top}")
        names = (self.semantics if candidates is None else candidates).classes
        scores = self.scores(self.predict_semantics(inputs), candidates)
        probabilities = scores.softmax(dim=1)
        best = scores.topk(min(top, len(names)), dim=1).indices
        return [
            [
                Ranked(
                    names[column],
                    float(row_scores[column]),
                    float(row_shares[column]),
                    names[column] in self.seen_classes,
                )
                for column in columns
            ]
            for columns, row_scores, row_shares in zip(best.tolist(), scores, probabilities, strict=True)
        ]


def _as_network_reads_it(semantics: ClassSemantics, network: SemanticModel) -> ClassSemantics:
    """Return the table with the word vectors, groups and places that the network was made with."""
    made_with = network.arguments["semantics"]
    if isinstance(made_with, Tensor):
        return semantics.with_word_vectors(made_with)
    if made_with.attributes != semantics.attributes:
        raise ArgumentError(
            f"semantics: expected the {len(made_with.attributes)} attributes that the network was made with, got "
            f"{len(semantics.attributes)} other ones; make the network with the same table"
        )
    return replace(semantics, word_vectors=made_with.word_vectors, groups=made_with.groups, places=made_with.places)

"""What the exported file computes: from photos, or features, and a table of classes to answers."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import ImageFormat
from rezsl.export._fitting import Fitting
from rezsl.functional.familiarity import FeatureDistribution, Limit, distance
from rezsl.models import HasAttention
from rezsl.regions import FeatureScaler

EXAMPLES, HEIGHT, WIDTH, REGIONS = 2, 250, 260, 9
"""Sizes of the inputs that the program is traced with; it accepts all sizes."""


class Program(nn.Module):
    """A classifier as a function of tensors alone.

    Its outputs are those of :data:`outputs`, in this order.

    Args:
        model: the classifier.
    """

    own: Float[Tensor, "C S"]

    def __init__(self, model: ZeroShotClassifier) -> None:
        super().__init__()
        self.model = model
        form = model.input_format
        self.fitting = Fitting(form) if isinstance(form, ImageFormat) else None
        self.has_attention = issubclass(type(model.network), HasAttention)
        self.register_buffer("own", model.semantics.values.clone())
        self.distribution: FeatureDistribution | None = None
        if model.familiarity is not None:
            parts = dict(model.familiarity.named_buffers())
            self.limit = Limit(*parts["limit"].tolist())
            self.distribution = FeatureDistribution(**{name: parts[name] for name in FeatureDistribution._fields})

    @property
    def kind(self) -> str:
        """The name of the first input: images or features."""
        return "features" if self.fitting is None else "images"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""
        names = ("probabilities", "scores", "strangeness", "attributes")
        return (*names, "attention") if self.has_attention else names

    def forward(self, inputs: Tensor, classes: Float[Tensor, "C S"], seen: Bool[Tensor, "C"]) -> tuple[Tensor, ...]:
        """Return the answers as :meth:`ZeroShotClassifier.classify` computes them.

        Args:
            inputs: decoded photos ``[N, height, width, 3]``, or features ``[N, D]``, or regions ``[N, R, D]``.
            classes: the attributes of the candidates.
            seen: which of them have training images, so that γ is subtracted from their scores.
        """
        model = self.model
        regions, features = model.backbone.describe(inputs if self.fitting is None else self.fitting(inputs) / 255)
        outputs = model.network(regions)
        if self.distribution is None:
            found = model.class_scores(outputs, classes)
            strangeness = torch.full_like(features[:, 0], torch.nan)
        else:
            # An input is as familiar as the best of the training classes and of the candidates makes it.
            every = model.class_scores(outputs, torch.cat([self.own, classes]))
            strangeness = self.limit.strangeness(distance(features, self.distribution), every.amax(dim=1))
            found = every[:, len(self.own) :]
        scores = found - model.gamma * seen.to(found.dtype)
        answers = ((scores / model.temperature).softmax(dim=1), scores, strangeness, model.attributes_of(outputs))
        if self.has_attention:
            assert isinstance(model.network, HasAttention)
            return (*answers, model.network.attention(regions))
        return answers


class Example(NamedTuple):
    """Inputs that a program is traced with.

    Attributes:
        inputs: of the right shapes; their numbers do not matter.
        names: of the axes of each input that may have any length, by their positions.
    """

    inputs: tuple[Tensor, Tensor, Tensor]
    names: tuple[dict[int, str], dict[int, str], dict[int, str]]


def example_of(program: Program) -> Example:
    """Return inputs for a program."""
    model, backbone = program.model, program.model.backbone
    axes = {0: "inputs"}
    if program.fitting is not None:
        generator = torch.Generator().manual_seed(0)
        size = (EXAMPLES, HEIGHT, WIDTH, 3)
        inputs, axes = (
            torch.randint(256, size, generator=generator, dtype=torch.uint8),
            axes | {1: "height", 2: "width"},
        )
    elif isinstance(backbone, FeatureScaler) and backbone.regions is not None:
        inputs, axes = torch.rand(EXAMPLES, REGIONS, backbone.region_dim), axes | {1: "regions"}
    else:
        inputs = torch.rand(EXAMPLES, backbone.region_dim)
    seen = torch.tensor([name in set(model.seen_classes) for name in model.semantics.classes])
    # A copy, because PyTorch takes an input for a constant where it is one.
    return Example((inputs, program.own.clone(), seen), (axes, {0: "candidates"}, {0: "candidates"}))

"""CN-ZSL: a network with class normalisation embeds the attributes of each class among the features."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError, check_at_least
from rezsl.functional import class_scores, l2_normalize
from rezsl.functional.shapes import ClassMatrix, Outputs, Pooled, Scores
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics


class CNZSL(SemanticModel, name="cn_zsl"):
    """s_c = scale · cos(x, P(a_c)): the prototype P(a_c) of a class among the features is computed from its attributes.

    Skorokhodov and Elhoseiny, Class Normalization for (Continual)? Generalized Zero-Shot Learning, ICLR 2021. With the
    attributes scaled to length 1 (their *attributes normalization*), cosines times a scale (*normalize + scale*) and
    class standardization S, which gives each unit mean 0 and variance 1 over the training classes,

        P(a) = W₃ · S(relu(S(W₂ · relu(W₁ · a + b₁) + b₂))) + b₃

    The weights W₃ begin with the variance 1 / (H · D), so that prototypes have about the length 1 whatever the widths.
    The statistics of S are those of the training classes in each step, and their running means otherwise: classes that
    are compared at a test do not influence each other.

    The original applies a further relu to prototypes, because its features are activations above 0. That is the option
    ``rectified``, under which features are not centered.

    Args:
        hidden_dim: H, width of both hidden layers, at least 1.
        rectified: leave features as they are, and set negative numbers of prototypes to 0.
    """

    predicts_attributes: ClassVar[bool] = False

    def __init__(
        self, region_dim: int, semantics: ClassSemantics, hidden_dim: int = 1024, rectified: bool = False
    ) -> None:
        super().__init__()
        check_at_least(1, hidden_dim=hidden_dim)
        self.rectified, self.scaled_features = rectified, not rectified
        self.embed = nn.Sequential(
            nn.Linear(len(semantics.attributes), hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim, affine=False),
            nn.ReLU(),
            nn.BatchNorm1d(hidden_dim, affine=False),
        )
        self.readout = nn.Linear(hidden_dim, region_dim)
        bound = (3 / (hidden_dim * region_dim)) ** 0.5  # of a uniform distribution with the variance 1 / (H · D)
        nn.init.uniform_(self.readout.weight, -bound, bound)

    def prepare(self, class_semantics: Float[Tensor, "K S"]) -> None:
        """Check that there are classes to standardise over."""
        if len(class_semantics) < 2:
            raise ArgumentError(
                f"classes: expected at least two training classes, over which CN-ZSL standardises, got "
                f"{len(class_semantics)} class; train on more classes"
            )

    def forward(self, regions: Pooled) -> Outputs:
        """Return the mean region itself, ``[B, …, D] -> [B, D]``."""
        return pool(regions)

    def prototypes(self, class_semantics: ClassMatrix) -> Float[Tensor, "C D"]:
        """Compute the prototype of each class, ``[C, S] -> [C, D]``."""
        rows = l2_normalize(class_semantics.to(self.readout.weight.dtype))
        found: Tensor = self.readout(self.embed(rows))
        return found.relu() if self.rectified else found

    def class_scores(self, predictions: Outputs, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Compute cosines between features and prototypes, times ``scale``; ``[B, D], [C, S] -> [B, C]``."""
        return class_scores(predictions, self.prototypes(class_semantics), scale)

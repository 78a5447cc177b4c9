"""f-CLSWGAN: a conditional Wasserstein generator of features, which a classifier of seen classes keeps apart."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from rezsl.errors import check_at_least, check_not_negative
from rezsl.functional.shapes import ClassMatrix, Outputs
from rezsl.functional.softmax_regression import softmax_regression
from rezsl.generators._generative_model import Draw, GenerativeModel
from rezsl.generators._steps import BETAS, SLOPE, Samples, drawn, perceptron, train_critic
from rezsl.semantics import ClassSemantics


class CLSWGAN(GenerativeModel, name="clswgan"):
    """f-CLSWGAN: features x̃ = G(z, a) of class semantics a and noise z, against a critic D and a classifier.

    Xian et al., CVPR 2018. With class semantics a of each sample,

        min_G max_D  E[D(x, a)] − E[D(x̃, a)] − λ E[(‖∇ D(x̂, a)‖ − 1)²] + β E[−ln p(y | x̃)]

    where x̂ lies between a real and a made feature (equation 2) and p is a softmax regression on real features of the
    seen classes, which is fitted once before (equations 3 and 4). An image is represented by its features.

    There are these departures. Features have a root mean square of 1 and the generator's output is linear, where the
    paper has features in [0, 1] and a ReLU, because features here may be negative. Networks are narrower and learn
    faster.

    Args:
        noise_dim: dimensions of z.
        hidden_dim: width of the hidden layer of generator and critic.
        critic_steps: updates of the critic per update of the generator.
        gradient_weight: λ.
        class_weight: β.
    """

    predicts_attributes = False

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        noise_dim: int = 64,
        hidden_dim: int = 512,
        critic_steps: int = 5,
        gradient_weight: float = 10.0,
        class_weight: float = 0.1,
        steps: int = 50,
        batch_size: int = 64,
        learning_rate: float = 3e-4,
        made: int = 200,
        penalty: float = 0.1,
    ) -> None:
        super().__init__(region_dim, semantics, steps, batch_size, learning_rate, made, penalty)
        check_at_least(1, noise_dim=noise_dim, hidden_dim=hidden_dim, critic_steps=critic_steps)
        check_not_negative(gradient_weight=gradient_weight, class_weight=class_weight)
        self.noise_dim, self.critic_steps = noise_dim, critic_steps
        self.gradient_weight, self.class_weight = gradient_weight, class_weight
        attributes = len(semantics.attributes)
        self.generator = perceptron(noise_dim + attributes, hidden_dim, region_dim, SLOPE)
        self.critic = perceptron(region_dim + attributes, hidden_dim, 1, SLOPE)

    def begin(self, samples: Samples, class_semantics: ClassMatrix) -> None:
        """Fit the classifier of the seen classes, by which made features are judged."""
        self._judge = softmax_regression(samples.features, samples.labels, len(class_semantics), self.penalty)

    def optimizers(self) -> list[Optimizer]:
        """Return an optimizer of the generator and one of the critic."""
        networks = (self.generator, self.critic)
        return [Adam(network.parameters(), lr=self.learning_rate, betas=BETAS) for network in networks]

    def update(self, draw: Draw, optimizers: list[Optimizer], progress: float) -> Mapping[str, Tensor]:
        """Train the critic by some steps and the generator by one."""
        of_generator, of_critic = optimizers
        for _ in range(self.critic_steps):
            samples = draw()
            with torch.no_grad():
                made = self._made(samples.conditions)
            distance = train_critic(self.critic, of_critic, samples, made, self.gradient_weight)
        samples = draw()
        made = self._made(samples.conditions)
        classification = F.cross_entropy(F.linear(made, *self._judge), samples.labels)
        critical = -self.critic(torch.cat([made, samples.conditions], dim=1)).mean()
        of_generator.zero_grad()
        (critical + self.class_weight * classification).backward()
        of_generator.step()
        return {"total": critical + self.class_weight * classification, "distance": distance, "class": classification}

    def _made(self, conditions: Float[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        return self._generated(torch.randn(len(conditions), self.noise_dim).to(conditions), conditions)

    def _generated(self, noise: Float[Tensor, "B Z"], conditions: Float[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        features: Tensor = self.generator(torch.cat([noise, conditions], dim=1))
        return features

    def represent(self, features: Float[Tensor, "B D"]) -> Outputs:
        """Return scaled features as they are."""
        return features

    def make(self, conditions: Float[Tensor, "B S"], noise: torch.Generator) -> Outputs:
        """Make scaled features, ``[B, S] -> [B, D]``."""
        return self._generated(drawn((len(conditions), self.noise_dim), noise, conditions), conditions)

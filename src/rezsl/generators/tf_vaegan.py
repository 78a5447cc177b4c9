"""TF-VAEGAN: a variational autoencoder with a critic, which a decoder of class semantics corrects and extends."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from rezsl.errors import check_at_least, check_not_negative, check_share
from rezsl.functional.generative import draw_latent, kl_to_standard_normal
from rezsl.functional.shapes import Outputs, Predictions
from rezsl.generators._generative_model import Draw, GenerativeModel
from rezsl.generators._steps import BETAS, SLOPE, Samples, drawn, encoded, perceptron, train_critic
from rezsl.semantics import ClassSemantics

FEEDBACK_RATE = 0.1
"""The learning rate of the feedback as a share of that of the other networks, as in the paper's experiments."""


class TFVAEGAN(GenerativeModel, name="tf_vaegan"):
    """Features made from class semantics, improved by feedback of a semantic decoder, which also enters the classifier.

    Narayan et al., ECCV 2020. An encoder E gives latents z of features x and class semantics a; the generator makes
    x̂ = G(z, a); a critic D scores features beside semantics; a decoder predicts semantics Dec(x) by a hidden layer
    h(x):

        L = (x − x̂)² + KL(E(x, a), N(0, I)) − α D(x̂, a) + β |a − Dec(x̂)|

    for encoder and generator, where the first two terms are those of a variational autoencoder; the critic is trained
    as in :class:`CLSWGAN`, and the decoder on |a − Dec(x)|. In every second step the generator is repeated with
    feedback: F(h(x̂)) is added to its hidden layer, and F learns as well. Features of a class are made from z of N(0, I)
    with feedback. An image is represented by x beside h(x), and its predicted attributes are Dec(x).

    There are these departures. The reconstruction error is squared, because features have no range, and a mean over
    dimensions, as the absolute errors are; the weight of KL is small accordingly. Networks are narrower, the decoder
    has dropout, and all learn faster.

    Args:
        latent_dim: Z, dimensions of z.
        hidden_dim: width of the hidden layer of each network.
        dropout: share of hidden units of the decoder that training switches off, in ``[0, 1)``.
        critic_steps: updates of critic and decoder per update of the generator.
        gradient_weight: λ of the critic's gradient penalty.
        kl_weight: the weight of KL.
        critic_weight: α.
        semantic_weight: β.
        feedback: the factor by which the feedback is multiplied; 0 switches it off.
    """

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        latent_dim: int = 64,
        hidden_dim: int = 512,
        dropout: float = 0.5,
        critic_steps: int = 2,
        gradient_weight: float = 10.0,
        kl_weight: float = 0.002,
        critic_weight: float = 0.02,
        semantic_weight: float = 0.1,
        feedback: float = 1.0,
        steps: int = 50,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        made: int = 200,
        penalty: float = 0.1,
    ) -> None:
        super().__init__(region_dim, semantics, steps, batch_size, learning_rate, made, penalty)
        check_at_least(1, latent_dim=latent_dim, hidden_dim=hidden_dim, critic_steps=critic_steps)
        check_share(dropout=dropout)
        self.latent_dim, self.critic_steps, self.feedback = latent_dim, critic_steps, feedback
        self.weights = {"kl": kl_weight, "critic": critic_weight, "semantic": semantic_weight}
        self.gradient_weight = gradient_weight
        check_not_negative(gradient_weight=gradient_weight, feedback=feedback)
        check_not_negative(**{f"{name}_weight": weight for name, weight in self.weights.items()})
        attributes = len(semantics.attributes)
        self.encoder = perceptron(region_dim + attributes, hidden_dim, 2 * latent_dim, SLOPE)
        self.generator = perceptron(latent_dim + attributes, hidden_dim, region_dim, SLOPE)
        self.critic = perceptron(region_dim + attributes, hidden_dim, 1, SLOPE)
        self.decoder = perceptron(region_dim, hidden_dim, attributes, SLOPE, dropout)
        self.corrector = nn.Sequential(perceptron(hidden_dim, hidden_dim, hidden_dim, SLOPE), nn.LeakyReLU(SLOPE))
        self._with_feedback = False

    def optimizers(self) -> list[Optimizer]:
        """Return optimizers of encoder, generator and feedback, of the critic, and of the decoder."""
        rate = self.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": [*self.encoder.parameters(), *self.generator.parameters()]},
            {"params": list(self.corrector.parameters()), "lr": FEEDBACK_RATE * rate},
        ]
        others = [Adam(network.parameters(), lr=rate, betas=BETAS) for network in (self.critic, self.decoder)]
        return [Adam(groups, lr=rate, betas=BETAS), *others]

    def update(self, draw: Draw, optimizers: list[Optimizer], progress: float) -> Mapping[str, Tensor]:
        """Train critic and decoder by some steps, and encoder and generator by one, with or without feedback."""
        of_generator, of_critic, of_decoder = optimizers
        self._with_feedback = not self._with_feedback and self.feedback > 0
        for _ in range(self.critic_steps):
            samples = draw()
            real_error = self._semantic_error(samples.features, samples.conditions)
            of_decoder.zero_grad()
            real_error.backward()
            of_decoder.step()
            with torch.no_grad():
                made, _ = self._reconstructed(samples)
            distance = train_critic(self.critic, of_critic, samples, made, self.gradient_weight)
        samples = draw()
        made, divergence = self._reconstructed(samples)
        losses = {
            "reconstruction": (made - samples.features).square().mean(),
            "kl": divergence,
            "critic": -self.critic(torch.cat([made, samples.conditions], dim=1)).mean(),
            "semantic": self._semantic_error(made, samples.conditions),
        }
        total = sum((self.weights.get(name, 1.0) * loss for name, loss in losses.items()), torch.zeros(()))
        of_generator.zero_grad()
        total.backward()
        of_generator.step()
        return {"total": total, **losses, "distance": distance, "real": real_error}

    def _semantic_error(self, features: Float[Tensor, "B D"], conditions: Float[Tensor, "B S"]) -> Tensor:
        error: Tensor = (self.decoder(features) - conditions).abs().mean()
        return error

    def _reconstructed(self, samples: Samples) -> tuple[Float[Tensor, "B D"], Float[Tensor, ""]]:
        """Return features that are made from encoded samples, and the divergence of their latents."""
        mean, log_variance = encoded(self.encoder, torch.cat([samples.features, samples.conditions], dim=1))
        latent = draw_latent(mean, log_variance, torch.randn_like(mean))
        made = self._generated(latent, samples.conditions, self._with_feedback)
        return made, kl_to_standard_normal(mean, log_variance).mean()

    def _generated(
        self, latent: Float[Tensor, "B Z"], conditions: Float[Tensor, "B S"], with_feedback: bool
    ) -> Float[Tensor, "B D"]:
        """Make features, at once or with feedback."""
        first, slope, _, last = self.generator
        hidden = slope(first(torch.cat([latent, conditions], dim=1)))
        made: Tensor = last(hidden)
        if with_feedback:
            made = last(hidden + self.feedback * self.corrector(self._hidden(made).detach()))
        return made

    def _hidden(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B H"]:
        """Return the decoder's hidden layer h, without dropout."""
        first, slope, *_ = self.decoder
        hidden: Tensor = slope(first(features))
        return hidden

    def represent(self, features: Float[Tensor, "B D"]) -> Outputs:
        """Return scaled features beside the decoder's hidden layer, ``[B, D] -> [B, D + H]``."""
        return torch.cat([features, self._hidden(features)], dim=1)

    def make(self, conditions: Float[Tensor, "B S"], noise: torch.Generator) -> Outputs:
        """Make scaled features with feedback, beside the decoder's hidden layer, ``[B, S] -> [B, D + H]``."""
        latent = drawn((len(conditions), self.latent_dim), noise, conditions)
        return self.represent(self._generated(latent, conditions, self.feedback > 0))

    def attributes_of(self, outputs: Outputs) -> Predictions:
        """Decode the hidden layer as attributes, ``[B, D + H] -> [B, S]``."""
        read: Tensor = self.decoder[-1](outputs[:, self.region_dim :])
        return read * self.semantic_scale

"""CADA-VAE: two variational autoencoders, of features and of class semantics, whose latent spaces are aligned."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Adam, Optimizer

from rezsl.errors import check_at_least, check_not_negative, check_share
from rezsl.functional.generative import Latent, draw_latent, gaussian_wasserstein, kl_to_standard_normal, warm_up
from rezsl.functional.shapes import Outputs, Predictions
from rezsl.generators._generative_model import Draw, GenerativeModel
from rezsl.generators._steps import drawn, encoded, perceptron
from rezsl.semantics import ClassSemantics

KL_RISES, CROSS_RISES, DISTANCE_RISES = (0.0, 0.9), (0.2, 0.75), (0.06, 0.22)
"""The parts of the training in which the weights of three terms rise from 0 to their full values, as in the paper."""


class CADAVAE(GenerativeModel, name="cada_vae"):
    """Cross- and distribution-aligned variational autoencoders; classes are recognised in their latent space.

    Schönfeld et al., CVPR 2019. For features x and class semantics a with the encoders N(μ_x, σ_x²) and N(μ_a, σ_a²),
    latents z_x and z_a drawn from them, and the decoders D_x and D_a,

        L = |x − D_x(z_x)| + |a − D_a(z_a)| + β (KL_x + KL_a)
            + γ (|x − D_x(z_a)| + |a − D_a(z_x)|) + δ √(‖μ_x − μ_a‖² + ‖σ_x − σ_a‖²)

    The second line is the cross-alignment (equation 5) and the distribution alignment (6). The weights β, γ, δ rise
    from 0, as in the paper. The final regression is trained on latents z_x of real features and z_a of other classes.
    An image is represented by μ_x, and its predicted attributes are D_a(μ_x).

    There are these departures. Absolute errors are means over dimensions where the paper sums them, so that one default
    fits any D and S; β and δ are small accordingly. Features have a root mean square of 1 instead of the range [0, 1].
    The hidden layers are narrower, that of the encoder of features has dropout, and the learning rate is higher and
    falls.

    Args:
        latent_dim: Z, dimensions of the latent space.
        hidden_dim: width of the hidden layer of each encoder and decoder.
        dropout: share of hidden units of the encoder of features that training switches off, in ``[0, 1)``.
        kl_weight: β, the weight of the divergence of the latents from the standard normal distribution.
        cross_weight: γ, the weight of the cross-alignment.
        distance_weight: δ, the weight of the distribution alignment.
    """

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        latent_dim: int = 64,
        hidden_dim: int = 256,
        dropout: float = 0.5,
        kl_weight: float = 0.0003,
        cross_weight: float = 2.4,
        distance_weight: float = 0.015,
        steps: int = 80,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        made: int = 200,
        penalty: float = 0.1,
    ) -> None:
        super().__init__(region_dim, semantics, steps, batch_size, learning_rate, made, penalty)
        check_at_least(1, latent_dim=latent_dim, hidden_dim=hidden_dim)
        check_share(dropout=dropout)
        check_not_negative(kl_weight=kl_weight, cross_weight=cross_weight, distance_weight=distance_weight)
        self.kl_weight, self.cross_weight, self.distance_weight = kl_weight, cross_weight, distance_weight
        attributes = len(semantics.attributes)
        self.encoder = perceptron(region_dim, hidden_dim, 2 * latent_dim, dropout=dropout)
        self.decoder = perceptron(latent_dim, hidden_dim, region_dim)
        self.semantic_encoder = perceptron(attributes, hidden_dim, 2 * latent_dim)
        self.semantic_decoder = perceptron(latent_dim, hidden_dim, attributes)

    def optimizers(self) -> list[Optimizer]:
        """Return one optimizer of all weights."""
        return [Adam(self.parameters(), lr=self.learning_rate)]

    def update(self, draw: Draw, optimizers: list[Optimizer], progress: float) -> Mapping[str, Tensor]:
        """Train all four networks by one step."""
        features, conditions, _ = draw()
        of_features, of_semantics = encoded(self.encoder, features), encoded(self.semantic_encoder, conditions)
        latent, semantic_latent = (
            draw_latent(*pair, torch.randn_like(pair[0])) for pair in (of_features, of_semantics)
        )

        def absolute(latents: Latent, others: Latent) -> Tensor:
            from_features = (self.decoder(latents) - features).abs().mean()
            from_semantics = (self.semantic_decoder(others) - conditions).abs().mean()
            error: Tensor = from_features + from_semantics
            return error

        losses = {
            "reconstruction": absolute(latent, semantic_latent),
            "cross": absolute(semantic_latent, latent),
            "kl": (kl_to_standard_normal(*of_features) + kl_to_standard_normal(*of_semantics)).mean(),
            "distance": gaussian_wasserstein(*of_features, *of_semantics).mean(),
        }
        weights = {
            "kl": self.kl_weight * warm_up(progress, *KL_RISES),
            "cross": self.cross_weight * warm_up(progress, *CROSS_RISES),
            "distance": self.distance_weight * warm_up(progress, *DISTANCE_RISES),
        }
        total = sum((weights.get(name, 1.0) * loss for name, loss in losses.items()), torch.zeros(()))
        optimizers[0].zero_grad()
        total.backward()
        optimizers[0].step()
        return {"total": total, **losses}

    def represent(self, features: Float[Tensor, "B D"]) -> Outputs:
        """Return the latent means μ_x, ``[B, D] -> [B, Z]``."""
        return encoded(self.encoder, features)[0]

    def make(self, conditions: Float[Tensor, "B S"], noise: torch.Generator) -> Outputs:
        """Draw latents of class semantics, ``[B, S] -> [B, Z]``."""
        mean, log_variance = encoded(self.semantic_encoder, conditions)
        return draw_latent(mean, log_variance, drawn(mean.shape, noise, mean))

    def keep(self, features: Float[Tensor, "B D"], noise: torch.Generator) -> Outputs:
        """Draw latents of real features, ``[B, D] -> [B, Z]``."""
        mean, log_variance = encoded(self.encoder, features)
        return draw_latent(mean, log_variance, drawn(mean.shape, noise, mean))

    def recall(self, kept: Outputs) -> Outputs:
        """Return kept latents as they are."""
        return kept

    def attributes_of(self, outputs: Outputs) -> Predictions:
        """Decode latents as attributes, ``[B, Z] -> [B, S]``."""
        decoded: Tensor = self.semantic_decoder(outputs)
        return decoded * self.semantic_scale

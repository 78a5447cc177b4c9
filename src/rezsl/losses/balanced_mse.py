"""Balanced MSE in three forms (Ren et al., Balanced MSE for Imbalanced Visual Regression, CVPR 2022)."""

import math
import warnings
from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import check_at_least, check_positive, needs
from rezsl.functional.binning import label_bins
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss, prepared

MOST_ROWS = 1000
"""The number of rows to which larger training sets are reduced before a mixture is fitted."""


class BalancedMSELoss(RegressionLoss):
    """Likelihood of the target under the prediction, corrected for how often each target occurs in training.

    With N, the normal density of standard deviation σ, and p_train, the density of targets in training,

        L = 2 σ² · mean of (−ln N(A; Â, σ²) + ln ∫ N(A'; Â, σ²) p_train(A') dA')

    The factor 2 σ² has no gradient; it gives the first term the scale of a squared error. The subclasses differ in
    p_train. σ is learnt together with the model, through its logarithm ``log_noise``, or stays as it is.

    Args:
        noise: σ at the start, positive, in units of the attributes (of their directions, if normalised).
        learn_noise: learn σ, as the authors of Balanced MSE do; false keeps it.
    """

    def __init__(self, noise: float, normalize: bool, learn_noise: bool) -> None:
        super().__init__(normalize)
        check_positive(noise=noise)
        self.noise, self.learn_noise = noise, learn_noise
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)), requires_grad=learn_noise)

    @abstractmethod
    def _balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        """Return the mean in the formula, of (normalised) predictions and targets, for σ² = ``variance``."""

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`RegressionLoss` for the arguments."""
        prediction, target = self.compared(prediction, target)
        variance = (2 * self.log_noise).exp().to(prediction.dtype)
        return 2 * variance.detach() * self._balanced(prediction, target, labels, variance)


class BMCLoss(BalancedMSELoss):
    """Batch-based Monte Carlo (section 3.3.2): the targets of the batch stand for those of training.

    With d_ij² = Σ_s (Â_is − A_{y_j s})², over the samples j of the batch,

        L = 2 σ² · mean over i of −ln( Σ_{j: y_j = y_i} exp(−d_ij² / 2σ²) / Σ_j exp(−d_ij² / 2σ²) )

    Samples of one class have the same target, so they are no negatives of each other. A batch of one class has loss 0.

    The published code of Rebalanced Zero-shot Learning has this loss with ``noise=0.1, learn_noise=False``. It counts
    the other samples of a class as negatives too, which adds 2 σ² · mean over i of ln(samples of the class y_i). With a
    fixed σ this is a constant, so the gradients are the same.

    Args:
        noise: σ at the start, positive, in units of the length of a row of attributes.

    >>> loss = BMCLoss(noise=1.0, normalize=False)
    >>> loss(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))  # 2 ln 2
    tensor(1.3863, grad_fn=<MulBackward0>)
    """

    def __init__(self, noise: float = 0.5, normalize: bool = True, learn_noise: bool = True) -> None:
        super().__init__(noise, normalize, learn_noise)

    def _balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        # The constants of N cancel.
        classes, position, count = labels.unique(return_inverse=True, return_counts=True)
        own = target.new_zeros(len(classes), target.shape[1]).index_copy_(0, position, target)
        distance = (prediction.unsqueeze(1) - own).square().sum(dim=2)
        # Samples of a class have the same target, so its exponential is counted once for each of them.
        logits = count.to(distance).log() - distance / (2 * variance)
        chance: Predictions = logits.log_softmax(dim=1).gather(1, position.unsqueeze(1))
        return -chance.mean()


class BNILoss(BalancedMSELoss):
    """Bins (BNI, section 3.3.2): the distribution of targets in training is a histogram per attribute.

    With the bins b of an attribute (of directions, if normalised), their middles c_sb and their shares p_sb of the
    training samples,

        L = 2 σ² · mean over i, s of (Â_is − A_{y_i s})² / 2σ² + ln Σ_b p_sb exp(−(Â_is − c_sb)² / 2σ²)

    Args:
        bins: number of bins per attribute, at least 1.
    """

    histogram: Float[Tensor, "2 S N"] | None

    def __init__(self, bins: int = 20, noise: float = 0.1, normalize: bool = True, learn_noise: bool = True) -> None:
        super().__init__(noise, normalize, learn_noise)
        check_at_least(1, bins=bins)
        self.bins = bins
        # prepare() computes this from the training set, so the state_dict does not contain it.
        self.register_buffer("histogram", None, persistent=False)

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Count the training samples in each bin; see :class:`RegressionLoss`."""
        compared = self.normalize_rows(class_semantics)
        bins = label_bins(compared, self.bins)
        density = bins.density(compared, class_counts)
        self.histogram = torch.stack([(density / density.sum(dim=1, keepdim=True)).log(), bins.centres()])

    def _balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        log_share, centres = prepared(self.histogram).to(prediction)
        distance = (prediction.unsqueeze(2) - centres).square()
        normalizer = torch.logsumexp(log_share - distance / (2 * variance), dim=2)
        return ((prediction - target).square() / (2 * variance) + normalizer).mean()


class GAILoss(BalancedMSELoss):
    """Closed form (GAI, section 3.3.1): the targets in training are a mixture of normal distributions per attribute.

    With the weights π_sk, means μ_sk and variances v_sk of the mixture of attribute s (of directions, if normalised),

        L = 2 σ² · mean over i, s of −ln N(A_{y_i s}; Â_is, σ²) + ln Σ_k π_sk N(Â_is; μ_sk, v_sk + σ²)

    Args:
        components: number of components per mixture, at least 1; an attribute with fewer distinct values has fewer.
    """

    mixture: Float[Tensor, "3 S K"] | None

    def __init__(
        self, components: int = 4, noise: float = 0.1, normalize: bool = True, learn_noise: bool = True
    ) -> None:
        super().__init__(noise, normalize, learn_noise)
        check_at_least(1, components=components)
        self.components = components
        self.register_buffer("mixture", None, persistent=False)  # computed by prepare() too

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Fit the mixtures; see :class:`RegressionLoss`."""
        self.mixture = label_mixture(self.normalize_rows(class_semantics), class_counts, self.components)

    def _balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        weight, mean, spread = prepared(self.mixture).to(prediction)
        log_density = _log_normal(prediction.unsqueeze(2) - mean, spread + variance)
        normalizer = torch.logsumexp(weight.log() + log_density, dim=2)
        return (normalizer - _log_normal(prediction - target, variance)).mean()


def _log_normal(difference: Float[Tensor, "*N"], variance: Float[Tensor, "*M"]) -> Float[Tensor, "*L"]:
    return -(difference.square() / variance + variance.log() + math.log(2 * math.pi)) / 2


def label_mixture(
    class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"], components: int
) -> Float[Tensor, "3 S K"]:
    """Fit a mixture of normal distributions to each attribute's values: weights, means and variances, ``[3, S, K]``.

    Each attribute is fitted separately by expectation-maximisation. The row of a class is repeated for each of its
    samples, in proportion to about :data:`MOST_ROWS` rows in all. An attribute with fewer distinct values than
    components has weights of 0 for the others.
    """
    values = class_semantics.double().cpu()
    counts = class_counts.cpu()
    times = (counts * MOST_ROWS / counts.sum()).round().clamp(min=1).long() if counts.sum() > MOST_ROWS else counts
    centre, scale = values.mean(dim=0), values.std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, 1.0)
    rows = ((values - centre) / scale).repeat_interleave(times, dim=0)
    fitted = torch.stack([_one_mixture(column, components) for column in rows.T], dim=1)
    fitted[1] = fitted[1] * scale.unsqueeze(1) + centre.unsqueeze(1)
    fitted[2] *= scale.unsqueeze(1).square()
    return fitted.to(class_semantics)


def _one_mixture(values: Float[Tensor, "N"], components: int) -> Float[Tensor, "3 K"]:
    with needs("estimators", "GAILoss"):
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - scikit-learn takes long to import
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415 - the same

    distinct = min(components, len(values.unique()))
    result = values.new_zeros(3, components)
    result[2] = 1.0
    if len(values) < 2 or distinct < 2:
        result[0, 0], result[1, 0], result[2, 0] = 1.0, values[0], 0.0
        return result
    with warnings.catch_warnings():
        # A prior that is not the exact maximum of the likelihood is good enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianMixture(distinct, covariance_type="spherical", random_state=0).fit(values.unsqueeze(1).numpy())
    for row, part in enumerate((fitted.weights_, fitted.means_[:, 0], fitted.covariances_)):
        result[row, :distinct] = torch.as_tensor(part)
    return result

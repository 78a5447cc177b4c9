"""Balanced MSE by batch-based Monte Carlo (Ren et al., Balanced MSE, CVPR 2022, section 3.3.2)."""

from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.balanced_mse import BalancedMSELoss


class BMCLoss(BalancedMSELoss):
    """The targets of the batch stand for those of training: each prediction must find its own among them.

    With d_ij² = Σ_s (Â_is − A_{y_j s})², over the samples j of the batch,

        L = 2 σ² · mean over i of −ln( Σ_{j: y_j = y_i} exp(−d_ij² / 2σ²) / Σ_j exp(−d_ij² / 2σ²) )

    Samples of one class have one target: they are not each other's negatives. A batch of one class has loss 0.

    Args:
        noise: σ at the start, positive, in units of the length of a row of semantics; it is learnt.
        normalize: scale predictions and targets to length 1 per row first.

    >>> import torch
    >>> loss = BMCLoss(noise=1.0, normalize=False)
    >>> loss(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))  # 2 ln 2
    tensor(1.3863, grad_fn=<MulBackward0>)
    """

    def __init__(self, noise: float = 0.5, normalize: bool = True) -> None:
        super().__init__(noise, normalize)

    def balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        """The mean in the formula; constants of N cancel."""
        classes, position, count = labels.unique(return_inverse=True, return_counts=True)
        own = target.new_zeros(len(classes), target.shape[1]).index_copy_(0, position, target)
        distance = (prediction.unsqueeze(1) - own).square().sum(dim=2)
        # Samples of a class share a target, so its exponential counts once for each of them.
        logits = count.to(distance).log() - distance / (2 * variance)
        chance: Predictions = logits.log_softmax(dim=1).gather(1, position.unsqueeze(1))
        return -chance.mean()

"""What the estimators that are solved for have in common."""

from rezsl.estimators.zero_shot_estimator import ZeroShotEstimator
from rezsl.training.settings import Training


class ClosedFormEstimator(ZeroShotEstimator):
    """An estimator whose weights are solved for in one pass: nothing is descended to, and nothing is drawn."""

    random_state = 0

    def _training(self, seed: int) -> Training:
        return Training(augmentation=None, max_epochs=1, seed=seed, accelerator="cpu")

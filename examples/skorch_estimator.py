"""ReMSE as the criterion of a skorch network, in a search of scikit-learn over folds of whole classes.

Needs: pip install "rezsl[estimators]" skorch
"""

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, GroupKFold
from skorch import NeuralNet
from torch import Tensor, nn

import rezsl
from rezsl.functional import class_accuracies, class_scores
from rezsl.losses import ReMSELoss

torch.manual_seed(0)
data = rezsl.load_synthetic(classes=20, attributes=8, skew=1.0, samples=800, dim=16, unseen=5, noise=0.5)
table, split = data.semantics.values, data.split


class AttributeCriterion(nn.Module):
    """ReMSE whose target is the label, as skorch passes it; the table gives the attributes of each label."""

    def __init__(self, class_power: float = 1.0) -> None:
        super().__init__()
        self.loss = ReMSELoss(class_power)

    def forward(self, prediction: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        value: Tensor = self.loss(prediction, table[labels], labels)
        return value


def accuracy(net: NeuralNet, features: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy among the classes of these labels, averaged over classes: T1 where they are unseen."""
    candidates = np.unique(labels)
    scores = class_scores(torch.from_numpy(net.predict(features)), table[candidates])
    chosen = torch.from_numpy(candidates)[scores.argmax(dim=1)]
    return float(class_accuracies(chosen, torch.from_numpy(labels))[0].mean())


net = NeuralNet(
    nn.Linear, module__in_features=16, module__out_features=8, criterion=AttributeCriterion, max_epochs=20,
    optimizer=torch.optim.Adam, lr=0.03, batch_size=64, train_split=None, verbose=0,
)  # fmt: skip
features, labels = data.inputs.numpy(), data.labels.numpy()
# The classes are the groups, so that every fold is scored on classes that its training has not seen.
search = GridSearchCV(net, {"criterion__class_power": [0.0, 1.0]}, scoring=accuracy, cv=GroupKFold(3))
search.fit(features[split.trainval], labels[split.trainval], groups=labels[split.trainval])
t1 = accuracy(search.best_estimator_, features[split.test_unseen], labels[split.test_unseen])
print(f"class_power {search.best_params_['criterion__class_power']:g}: T1 {t1:.2f}")

"""ReMSE beside a loss of pytorch-metric-learning, in that library's trainer.

Needs: pip install rezsl pytorch-metric-learning
"""

import torch
from pytorch_metric_learning import losses, trainers
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import rezsl
from rezsl.functional import class_scores
from rezsl.losses import ReMSELoss
from rezsl.metrics import SeenUnseen


class AttributeLoss(nn.Module):
    """ReMSE with the arguments of a loss of that library, whose embeddings are attributes here."""

    def __init__(self, class_semantics: Tensor) -> None:
        super().__init__()
        self.loss, self.contrast = ReMSELoss(), losses.SupConLoss(temperature=0.5)
        self.register_buffer("table", class_semantics)

    def forward(self, embeddings: Tensor, labels: Tensor, indices_tuple: object = None) -> Tensor:
        """Return ReMSE, and a tenth of a contrastive loss over the same attributes."""
        error: Tensor = self.loss(embeddings, self.table[labels], labels)
        return 10 * error + 0.1 * self.contrast(embeddings, labels, indices_tuple)


torch.manual_seed(0)
data = rezsl.load_synthetic(classes=20, attributes=8, skew=1.0, samples=800, dim=16, unseen=5, noise=0.5)
table, split = data.semantics.values, data.split
is_seen = torch.tensor([name in data.seen_classes for name in data.semantics.classes])

model = nn.Linear(16, 8)
trainer = trainers.MetricLossOnly(
    models={"trunk": model},
    optimizers={"trunk_optimizer": torch.optim.Adam(model.parameters(), lr=0.03)},
    batch_size=64,
    loss_funcs={"metric_loss": AttributeLoss(table)},
    dataset=TensorDataset(data.inputs[split.trainval], data.labels[split.trainval]),
    data_device=torch.device("cpu"),
    dataloader_num_workers=0,
)
trainer.train(num_epochs=20)

curve, rows = SeenUnseen(is_seen), torch.cat([split.test_seen, split.test_unseen])
with torch.inference_mode():
    curve.update(class_scores(model(data.inputs[rows]), table), data.labels[rows])
print(f"H {curve.compute().at(0.0).harmonic_mean:.2f}, area under the curve {curve.compute().ausuc:.2f}")

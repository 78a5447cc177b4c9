"""ReMSE and the metrics in a LightningModule; Lightning logs, resets and merges them over processes.

Needs: pip install rezsl lightning
"""

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import rezsl
from rezsl.functional import class_scores
from rezsl.losses import ReMSELoss
from rezsl.metrics import SeenUnseen

Batch = list[Tensor]


class AttributeModel(lightning.LightningModule):
    """Predicts attributes ``[B, S]`` from features ``[B, D]``."""

    def __init__(self, dim: int, class_semantics: Tensor, is_seen: Tensor) -> None:
        super().__init__()
        self.network = nn.Linear(dim, class_semantics.shape[1])
        self.loss = ReMSELoss(memory="ema")  # its memory is a buffer, so that checkpoints have it
        self.register_buffer("table", class_semantics)
        self.curve = SeenUnseen(is_seen)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        features, labels = batch
        value: Tensor = self.loss(self.network(features), self.table[labels], labels)
        self.log("loss", value)
        return value

    def test_step(self, batch: Batch, _: int) -> None:
        """Add a batch to the seen-unseen curve."""
        features, labels = batch
        self.curve.update(class_scores(self.network(features), self.table), labels)

    def on_test_epoch_end(self) -> None:
        """Log numbers of the curve, which itself is no number."""
        curve = self.curve.compute()
        self.log_dict({"H": curve.at(0.0).harmonic_mean, "AUSUC": curve.ausuc})
        self.curve.reset()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=0.03)


def loader(data: rezsl.Benchmark, rows: Tensor, shuffle: bool = False) -> "DataLoader[tuple[Tensor, ...]]":
    """Return batches of features and labels."""
    return DataLoader(TensorDataset(data.inputs[rows], data.labels[rows]), batch_size=64, shuffle=shuffle)


lightning.seed_everything(0, verbose=False)
data = rezsl.load_synthetic(classes=20, attributes=8, skew=1.0, samples=800, dim=16, unseen=5, noise=0.5)
is_seen = torch.tensor([name in data.seen_classes for name in data.semantics.classes])
model = AttributeModel(16, data.semantics.values, is_seen)
trainer = lightning.Trainer(
    max_epochs=20, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
    enable_model_summary=False,
)  # fmt: skip
trainer.fit(model, loader(data, data.split.trainval, shuffle=True))
test_rows = torch.cat([data.split.test_seen, data.split.test_unseen])
(found,) = trainer.test(model, loader(data, test_rows), verbose=False)
print(f"H {found['H']:.2f}, area under the curve {found['AUSUC']:.2f}")

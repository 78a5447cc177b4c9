"""ReMSE as the loss of a model of transformers' Trainer, with the metrics after each evaluation.

Needs: pip install rezsl transformers accelerate
"""

import tempfile
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EvalPrediction, Trainer, TrainingArguments

import rezsl
from rezsl.functional import class_scores
from rezsl.losses import ReMSELoss
from rezsl.metrics import SeenUnseen


class AttributeModel(nn.Module):
    """Predicts attributes from features, and returns the loss too where there are labels, as the Trainer expects."""

    def __init__(self, dim: int, class_semantics: Tensor) -> None:
        super().__init__()
        self.network, self.loss = nn.Linear(dim, class_semantics.shape[1]), ReMSELoss()
        self.register_buffer("table", class_semantics)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Return ``logits``, the attributes ``[B, S]``, and the ``loss``."""
        attributes = self.network(features)
        if labels is None:
            return {"logits": attributes}
        return {"loss": self.loss(attributes, self.table[labels], labels), "logits": attributes}


def samples(data: rezsl.Benchmark, rows: Tensor) -> list[dict[str, Tensor]]:
    """Return a data set of dictionaries, whose names are those of the model's arguments."""
    return [{"features": data.inputs[row], "labels": data.labels[row]} for row in rows]


data = rezsl.load_synthetic(classes=20, attributes=8, skew=1.0, samples=800, dim=16, unseen=5, noise=0.5)
is_seen = torch.tensor([name in data.seen_classes for name in data.semantics.classes])


def metrics(found: EvalPrediction) -> dict[str, float]:
    """Return H at γ = 0 and the area under the seen-unseen curve."""
    metric = SeenUnseen(is_seen)
    scores = class_scores(torch.as_tensor(found.predictions), data.semantics.values)
    metric.update(scores, torch.as_tensor(found.label_ids))
    curve = metric.compute()
    return {"H": curve.at(0.0).harmonic_mean, "AUSUC": curve.ausuc}


with tempfile.TemporaryDirectory() as folder:
    options: dict[str, Any] = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "use_cpu": True}
    settings = TrainingArguments(
        folder, num_train_epochs=20, learning_rate=0.03, per_device_train_batch_size=64, seed=0, **options
    )
    trainer = Trainer(
        model=AttributeModel(16, data.semantics.values),
        args=settings,
        train_dataset=samples(data, data.split.trainval),
        eval_dataset=samples(data, torch.cat([data.split.test_seen, data.split.test_unseen])),
        compute_metrics=metrics,
    )
    trainer.train()
    found = trainer.evaluate()
print(f"H {found['eval_H']:.2f}, area under the curve {found['eval_AUSUC']:.2f}")

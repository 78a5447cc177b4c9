"""ReMSE and the metrics of generalized zero-shot learning in a plain PyTorch loop.

Needs: pip install rezsl
"""

import torch
from torch import nn

import rezsl
from rezsl.functional import class_scores
from rezsl.losses import ReMSELoss
from rezsl.metrics import ClassF1, SeenUnseen, TopKAccuracy

torch.manual_seed(0)
data = rezsl.load_synthetic(classes=20, attributes=8, skew=1.0, samples=800, dim=16, unseen=5, noise=0.5)
table, split = data.semantics.values, data.split  # [C, S], and positions of the samples
is_seen = torch.tensor([name in data.seen_classes for name in data.semantics.classes])

model, loss = nn.Linear(16, 8), ReMSELoss()
optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=0.03)
for _ in range(20):
    for rows in split.trainval[torch.randperm(len(split.trainval))].split(64):
        labels = data.labels[rows]
        value = loss(model(data.inputs[rows]), table[labels], labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

curve, top_5, f1 = SeenUnseen(is_seen), TopKAccuracy(is_seen, k=5), ClassF1(is_seen)
with torch.inference_mode():
    for rows in torch.cat([split.test_seen, split.test_unseen]).split(64):
        scores = class_scores(model(data.inputs[rows]), table)
        for metric in (curve, top_5, f1):
            metric.update(scores, data.labels[rows])

# γ = 0. One that is chosen on test samples would make H an optimistic number; rezsl.fit chooses it without them.
point = curve.compute().at(0.0)
print(f"S {point.seen:.2f}, U {point.unseen:.2f}, H {point.harmonic_mean:.2f}")
print(f"area under the curve {curve.compute().ausuc:.2f}, H among the five best {top_5.compute()['harmonic_mean']:.2f}")
print(f"F1 of unseen classes {f1.compute()[~is_seen].nanmean():.2f}")

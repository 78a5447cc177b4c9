"""A training step of fit on features against the arithmetic alone, at the size of AwA2."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor

from benchmarks.timing import Comparison, one_thread, processor_medians
from rezsl import Benchmark, ClassSemantics, Split, Training, ZeroShotClassifier
from rezsl.losses import Objective, ReMSELoss
from rezsl.models import MLPRegressor
from rezsl.regions import FeatureScaler
from rezsl.training import Batches, Stage, train_stage
from rezsl.training.optimization import WeightAverage

STEPS, BATCH, CLASSES, SEEN, ATTRIBUTES = 100, 32, 50, 40, 85
TRAINING = Training(
    augmentation=None, max_epochs=1, accelerator="cpu", batches=Batches(ways=16, shots=BATCH // 16, per_epoch=STEPS)
)


def measure() -> Iterator[Comparison]:
    """An epoch of steps with batches of 32, 85 attributes, an MLP of 1024 hidden units, ReMSE and AdamW; one thread."""
    with one_thread():
        yield from map(row, (640, 2048))


def row(dim: int) -> Comparison:
    """Return the row of features of a length."""
    data, start = problem(dim)

    def ours(data: Benchmark = data, start: ZeroShotClassifier = start) -> ZeroShotClassifier:
        return trained(data, start)

    def alone(data: Benchmark = data, start: ZeroShotClassifier = start) -> ZeroShotClassifier:
        return arithmetic(data, start)

    expected = arithmetic(data, start, seeded=True).state_dict()
    difference = max(float((ours().state_dict()[name] - tensor).abs().max()) for name, tensor in expected.items())
    bare, whole = (seconds / STEPS for seconds in processor_medians(alone, ours))
    what = f"training step of fit, {dim} features, batch {BATCH}, {ATTRIBUTES} attributes, against arithmetic alone"
    return Comparison(what, bare, whole, f"{difference:.0e} in the weights" if difference else "none")


def problem(dim: int) -> tuple[Benchmark, ZeroShotClassifier]:
    """Return features of all training classes, and a classifier of random weights."""
    semantics = ClassSemantics(
        tuple(f"class {number}" for number in range(CLASSES)),
        tuple(f"attribute {number}" for number in range(ATTRIBUTES)),
        torch.rand(CLASSES, ATTRIBUTES),
    )
    labels = torch.arange(20_000) % SEEN
    split = Split(torch.arange(len(labels)), torch.arange(0), torch.arange(0))
    data = Benchmark("noise", torch.randn(len(labels), dim).relu(), labels, semantics, split)
    assert isinstance(data.inputs, Tensor)
    network = MLPRegressor(dim, semantics, hidden_dim=1024)
    return data, ZeroShotClassifier(FeatureScaler.from_features(data.inputs), network, semantics, data.seen_classes)


def trained(data: Benchmark, start: ZeroShotClassifier) -> ZeroShotClassifier:
    """Train as :func:`rezsl.fit` does in each of its stages."""
    classifier = deepcopy(start)
    train_stage(Stage("refit", classifier, 1), data, data.split.trainval, TRAINING)
    return classifier


def arithmetic(data: Benchmark, start: ZeroShotClassifier, seeded: bool = False) -> ZeroShotClassifier:
    """Train with a bare loop: gather, forward, objective, backward, AdamW, schedule, and average of the weights."""
    classifier, inputs, labels = deepcopy(start), data.inputs, data.labels
    assert isinstance(inputs, Tensor)
    objective = Objective(data.semantics.values[:SEEN], ReMSELoss(), 1.0, score=classifier.class_scores)
    optimization = TRAINING.optimization
    optimizer, average = optimization.build(classifier), WeightAverage(classifier, optimization.averaging)
    rate = optimization.factor(STEPS, 1)
    for step, batch in enumerate(TRAINING.batches.sampler(data.split.trainval, labels, TRAINING.seed)):
        if seeded:
            torch.manual_seed(TRAINING.seed * 1_000_000_007 + step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate(step)
        index = torch.tensor(batch)
        total = objective(classifier(inputs.index_select(0, index)), labels[index]).total
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        average.update(classifier)
    classifier.load_state_dict(average.module.state_dict())
    return classifier

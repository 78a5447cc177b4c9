"""Each experiment of the paper trains as an independent implementation does, from the same weights on the same batches."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.cli import fit
from rezsl.cli._options import instantiate, parse
from rezsl.data import Benchmark, Split
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics
from rezsl.training import Training
from rezsl.training.callbacks import Stage
from rezsl.training.loop import train_stage
from tests.cli.test_configs import CONFIGS, PAPER
from tests.oracles.paper_training import Recipe, Weights, train

SEEN, PER_CLASS, ATTRIBUTES, REGIONS, CHANNELS, WORDS = 20, 4, 9, 4, 7, 5
EPOCHS, STEPS = 30, 1


def settings_of(name: str) -> tuple[Any, Training]:
    """The model's builder and the settings of a file; one step instead of 300 is an epoch."""
    options = fit.parser()
    parsed = parse(options, ["--config", str(CONFIGS / f"{name}.yaml"), "--data", "digits", "--backbone", "null"])
    given = fit.arguments_of_fit(instantiate(options, parsed))
    training = replace(given["training"], accelerator="cpu")
    return given["model"], replace(training, batches=replace(training.batches, per_epoch=STEPS))


def random_regions() -> Benchmark:
    """Regions of the seen classes, as a network with rectified outputs makes them; the last class is unseen."""
    generator = torch.Generator().manual_seed(0)
    semantics = ClassSemantics(
        tuple(f"class {number}" for number in range(SEEN + 1)),
        tuple(f"attribute {number}" for number in range(ATTRIBUTES)),
        torch.rand(SEEN + 1, ATTRIBUTES, generator=generator),
        word_vectors=torch.randn(ATTRIBUTES, WORDS, generator=generator),
    )
    labels = torch.arange(SEEN * PER_CLASS) % SEEN
    regions = torch.rand(len(labels), REGIONS, CHANNELS, generator=generator)
    return Benchmark("random", regions, labels, semantics, Split(torch.arange(len(labels))))


class Run(NamedTuple):
    """What a training began with and ended with, and the batches that it drew in each epoch."""

    data: Benchmark
    start: Weights
    end: Weights
    epochs: list[list[list[int]]]


def trained(name: str, decay_biases: bool | None = None) -> Run:
    """Train as a file says, in double precision; ``decay_biases`` may be another than the file's."""
    builder, training = settings_of(name)
    if decay_biases is not None:
        training = replace(training, optimization=replace(training.optimization, decay_biases=decay_biases))
    data = random_regions()
    torch.manual_seed(training.seed)
    network = builder(CHANNELS, data.semantics)
    classifier = ZeroShotClassifier(
        FeatureScaler(CHANNELS), network, data.semantics, data.seen_classes, scale=training.scale
    ).double()
    start = {key: value.clone() for key, value in network.state_dict().items()}
    index = data.split.trainval
    sampler = training.batches.sampler(index, data.labels, training.seed)
    epochs = []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    train_stage(Stage("refit", classifier, EPOCHS), data, index, training)
    return Run(data, start, network.state_dict(), epochs)


def literally_trained(name: str, run: Run, **changes: Any) -> Weights:
    """The oracle's weights for the same start and batches; ``changes`` are entries of its recipe."""
    paper, semantics = PAPER[name], run.data.semantics
    recipe = Recipe(
        ratio=paper.ratio, scale=paper.scale, class_power=paper.class_power, semantic_power=paper.semantic_power,
        running=paper.memory == "running", loss_weight=paper.loss_weight, learning_rate=paper.learning_rate,
        step_factor=paper.step_factor,
    )._replace(**changes)  # fmt: skip
    assert isinstance(run.data.inputs, torch.Tensor)
    assert semantics.word_vectors is not None
    # The keys of the published code have a bias. It adds the same number to all regions, so it cancels in the softmax.
    bias = {"key.bias": torch.randn(len(run.start["key.weight"]), dtype=torch.float64)}
    weights = train(
        run.start | bias, run.data.inputs, run.data.labels, semantics.values[:SEEN], semantics.word_vectors,
        run.epochs, recipe,
    )  # fmt: skip
    return {key: weights[key] for key in run.start}


def distance(first: Weights, second: Weights) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.mark.parametrize("name", PAPER)
def test_the_weights_are_those_of_the_literal_training(name: str) -> None:
    run = trained(name)
    assert distance(run.start, run.end) > 1e-3
    # The objective is computed in single precision, so the weights are not equal to the last digit.
    assert distance(run.end, literally_trained(name, run)) < 1e-7


@pytest.mark.slow
def test_any_other_setting_would_show() -> None:
    name = "sun-resnet101-2023"
    run = trained(name)
    for change in (
        {"ratio": 0.9}, {"scale": 24.0}, {"class_power": 1.2}, {"semantic_power": 0.1}, {"running": False},
        {"loss_weight": 0.9}, {"step_factor": 0.6}, {"step_epochs": 11}, {"momentum": 0.8}, {"weight_decay": 0.0},
    ):  # fmt: skip
        assert distance(run.end, literally_trained(name, run, **change)) > 1e-6, change
    assert distance(run.end, trained(name, decay_biases=False).end) > 2e-7

"""One stage of a method in closed form: its weights are solved for in one pass."""

from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.evaluation import GZSLEvaluator
from rezsl.models import ClosedForm
from rezsl.training.callbacks import BestEpoch

ROWS = 4096


def evaluator_of(classifier: ZeroShotClassifier, benchmark: Benchmark, unseen_index: Int[Tensor, "L"]) -> GZSLEvaluator:
    """Scores validation samples as the classifier does, among its seen classes and those of ``unseen_index``."""
    score = partial(classifier.network.class_scores, scale=classifier.scale)
    unseen = benchmark.class_names(unseen_index)
    return GZSLEvaluator(benchmark.semantics, (*classifier.seen_classes, *unseen), classifier.seen_classes, score)


@torch.no_grad()
def solve_stage(
    classifier: ZeroShotClassifier,
    benchmark: Benchmark,
    train_index: Int[Tensor, "N"],
    validation: tuple[Int[Tensor, "K"], Int[Tensor, "L"]] | None,
    best: BestEpoch | None,
) -> None:
    """Solve for a classifier's weights in place, and validate it once; see :func:`rezsl.training.stage.train_stage`.

    Raises:
        ArgumentError: the benchmark consists of images: nothing would train their backbone.
    """
    network = classifier.network
    assert isinstance(network, ClosedForm)
    if benchmark.kind == "images":
        raise ArgumentError(
            f"model: {type(network).__name__} is solved for on features, which nothing trains here; expected features "
            f"or regions, got images; extract regions with a pretrained backbone first"
        )
    classifier.eval()
    rows = benchmark.labels[train_index].unique()
    positions = torch.searchsorted(rows, benchmark.labels[train_index])
    read = classifier.input_format.read
    batches = (
        (classifier.backbone(read(benchmark.inputs, index)), labels)
        for index, labels in zip(train_index.split(ROWS), positions.split(ROWS), strict=True)
    )
    network.solve(batches, benchmark.semantics.values[rows])
    if validation is None or best is None:
        return
    evaluator = evaluator_of(classifier, benchmark, validation[1])
    index = torch.cat(validation)
    predictions = classifier.predict_semantics(benchmark.inputs, ROWS, index)
    for part, labels in zip(predictions.split(ROWS), benchmark.labels[index].split(ROWS), strict=True):
        evaluator.update(part, labels)
    best.take(evaluator.result(), 1)

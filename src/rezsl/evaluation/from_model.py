"""From a trained model to an :class:`Analysis`."""

from dataclasses import replace

import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import DataError, name_some
from rezsl.evaluation.analysis import Analysis
from rezsl.evaluation.from_predictions import analyse
from rezsl.evaluation.options import AnalysisOptions
from rezsl.semantics import ClassSemantics


def analyse_model(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    options: AnalysisOptions | None = None,
    batch_size: int = 256,
) -> Analysis:
    """Analyse a model on a benchmark's test images, which it sees once, at its own γ.

    As for :func:`rezsl.evaluate` the candidates are the classes that the model was trained on and the benchmark's
    unseen ones.

    Args:
        model: a trained classifier.
        benchmark: its classes and attributes are joined with the model's by name.
        options: bins, intervals, neighbours.
        batch_size: images per forward pass.

    Raises:
        DataError: there is nothing to test on, attributes differ, or a class that should be unseen was trained on.
    """
    split = benchmark.split
    index = torch.cat([split.test_seen, split.test_unseen])
    if not len(index):
        raise DataError(f"split: {benchmark.name} has no test images, so there is nothing to analyse")
    unseen = benchmark.class_names(split.test_unseen)
    if trained := [name for name in unseen if name in model.seen_classes]:
        raise DataError(f"split.test_unseen: the model was trained on {name_some(trained)}; not unseen to it")
    if foreign := [name for name in benchmark.class_names(split.test_seen) if name not in model.seen_classes]:
        raise DataError(f"split.test_seen: the model was not trained on {name_some(foreign)}; not seen by it")
    table = model.semantics.with_classes_of(benchmark.semantics)
    taking_part = [name for name in table.classes if name in {*model.seen_classes, *unseen}]
    rows = table.index(taking_part)
    position = torch.full((len(table.classes),), -1)
    position[rows] = torch.arange(len(rows))
    candidates = ClassSemantics(tuple(taking_part), table.attributes, table.values[rows], groups=table.groups)
    predictions = model.predict_semantics(benchmark.inputs, batch_size, index)
    with torch.inference_mode():
        # In slices: a network's own way of scoring may need far more memory than its scores.
        parts = predictions.split(batch_size)
        scores = torch.cat([model.network.class_scores(part, candidates.values, model.scale) for part in parts])
    seen = [name for name in model.seen_classes if name in taking_part]
    labels = position[benchmark.labels[index]]
    found = analyse(predictions, labels, candidates, seen, model.gamma, model.scale, scores, options)
    return replace(found, scale=model.scale)

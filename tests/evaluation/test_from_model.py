import math
from dataclasses import replace

import pytest
import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import DataError
from rezsl.evaluation import analyse_model, evaluate
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics
from tests.evaluation.conftest import QUICK


class Euclidean(LinearRegressor):
    """Scores by distance."""

    def class_scores(self, predictions: torch.Tensor, class_semantics: torch.Tensor, scale: float) -> torch.Tensor:
        return -scale * torch.cdist(predictions, class_semantics)


def classifier(benchmark: Benchmark, network: type[LinearRegressor] = LinearRegressor) -> ZeroShotClassifier:
    assert isinstance(benchmark.inputs, torch.Tensor)
    torch.manual_seed(0)
    linear = network(8, benchmark.semantics)
    target = benchmark.semantics.values[benchmark.labels]
    with torch.no_grad():
        linear.readout.weight.copy_(torch.linalg.lstsq(benchmark.inputs, target).solution.T + 0.1 * torch.randn(4, 8))
        linear.readout.bias.zero_()
    scaler = FeatureScaler(8)
    return ZeroShotClassifier(scaler, linear, benchmark.semantics, benchmark.seen_classes, gamma=0.3, scale=12.0)


@pytest.mark.parametrize("network", [LinearRegressor, Euclidean])
def test_figures_are_those_of_evaluation(features: Benchmark, network: type[LinearRegressor]) -> None:
    model = classifier(features, network)
    rows, columns = torch.tensor([5, 3, 0, 1, 4, 2]), [3, 1, 0, 2]
    shuffled = ClassSemantics(
        tuple("fdabec"), ("tail", "fur", "wings", "stripes"), features.semantics.values[rows][:, columns]
    )
    for benchmark in (features, replace(features, labels=rows.argsort()[features.labels], semantics=shuffled)):
        result, found = evaluate(model, benchmark), analyse_model(model, benchmark, QUICK, batch_size=7)
        figures = {name: value for name, value in found.metrics().items() if name in result.metrics()}
        assert figures == pytest.approx(result.metrics(), rel=1e-4, abs=1e-6, nan_ok=True)
        assert figures.keys() == result.metrics().keys()
        assert (found.gamma, found.scale) == (0.3, 12.0)
        accuracy = dict(zip(found.generalized.candidates, found.generalized.class_accuracy.tolist(), strict=True))
        assert accuracy == pytest.approx(dict(zip(result.classes, result.class_accuracy.tolist(), strict=True)))


def test_classes_without_a_part_are_no_candidates(features: Benchmark) -> None:
    values = torch.cat([features.semantics.values, torch.rand(2, 4)])
    larger = ClassSemantics((*"abcdef", "g", "h"), features.semantics.attributes, values)
    found = analyse_model(classifier(features), replace(features, semantics=larger), QUICK)
    assert found.generalized.candidates == tuple("abcdef")


def test_images_of_one_side_are_enough(features: Benchmark) -> None:
    one_sided = replace(features, split=replace(features.split, test_seen=torch.empty(0, dtype=torch.int64)))
    found = analyse_model(classifier(features), one_sided, QUICK)
    assert found.classes == ("e", "f")
    assert math.isnan(found.point.seen)
    assert found.point.unseen == evaluate(classifier(features), one_sided).point.unseen
    assert found.t1 > 0.5


def test_what_must_not_be_analysed(features: Benchmark) -> None:
    model = classifier(features)
    none = torch.empty(0, dtype=torch.int64)
    untested = replace(features, split=replace(features.split, test_seen=none, test_unseen=none))
    with pytest.raises(DataError, match="split: toy has no test images, so there is nothing to analyse; hold some out"):
        analyse_model(model, untested)
    leaky = ZeroShotClassifier(model.backbone, model.network, model.semantics, "abcde")
    with pytest.raises(DataError, match="the model was trained on 'e'; not unseen to it"):
        analyse_model(leaky, features)
    smaller = ZeroShotClassifier(model.backbone, model.network, model.semantics, "abc")
    with pytest.raises(DataError, match="the model was not trained on 'd'; not seen by it"):
        analyse_model(smaller, features)

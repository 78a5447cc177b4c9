"""Scores that are computed in blocks give what all of them at once give, and files and calibrations stay small."""

import numpy as np
import pytest
import torch

from rezsl import ZeroShotClassifier, evaluate
from rezsl.data import Benchmark, load_synthetic
from rezsl.evaluation import _evaluation, _measures, _saved_predictions, analyse_evaluation, hierarchical_errors
from rezsl.evaluation._evaluation import AnalysisOptions
from rezsl.functional import class_scores, statistics
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler

QUICK = AnalysisOptions(resamples=5)


@pytest.fixture(scope="module")
def tested() -> tuple[ZeroShotClassifier, Benchmark]:
    torch.manual_seed(0)
    data = load_synthetic(classes=30, attributes=12, samples=600, dim=8, unseen=8, validation=4)
    assert isinstance(data.inputs, torch.Tensor)
    network = LinearRegressor(8, data.semantics)
    model = ZeroShotClassifier(
        FeatureScaler.from_features(data.inputs), network, data.semantics, data.seen_classes, gamma=0.3
    )
    return model.eval(), data


def test_blocks_change_no_figure(tested: tuple[ZeroShotClassifier, Benchmark], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(*tested)
    groups = {name: [str(number % 3), str(number % 6)] for number, name in enumerate(tested[1].semantics.classes)}
    expected = analyse_evaluation(whole, QUICK).to_dict(), whole.to_dict(), hierarchical_errors(whole, groups)
    monkeypatch.setattr(_evaluation, "SLICE", 100)
    monkeypatch.setattr(_measures, "CELLS", 500)
    monkeypatch.setattr(statistics, "_CELLS", 40)
    parts = evaluate(*tested)
    assert parts.samples is not None
    assert len(list(parts.samples.score_blocks())) > 50
    found = analyse_evaluation(parts, QUICK).to_dict(), parts.to_dict(), hierarchical_errors(parts, groups)
    for one, other in zip(_numbers(found), _numbers(expected), strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-9, nan_ok=True)


def _numbers(content: object) -> list[float]:
    if isinstance(content, dict):
        return [number for part in content.values() for number in _numbers(part)]
    if isinstance(content, list | tuple):
        return [number for part in content for number in _numbers(part)]
    return [float(content)] if isinstance(content, int | float) else []


def test_predictions_are_not_copied(tested: tuple[ZeroShotClassifier, Benchmark]) -> None:
    model, data = tested
    found = evaluate(model, data)
    assert found.samples is not None
    blocks = torch.cat([scores for _, scores in found.samples.score_blocks()])
    table = found.samples.semantics.values
    torch.testing.assert_close(blocks, class_scores(found.samples.predictions, table), rtol=1e-6, atol=1e-5)


def test_a_file_of_many_scores_has_samples_from_all_over(
    tested: tuple[ZeroShotClassifier, Benchmark], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    found = evaluate(*tested)
    assert found.samples is not None
    monkeypatch.setattr(_saved_predictions, "MOST_SCORES", 10 * len(found.samples.is_seen))
    monkeypatch.setattr(_evaluation, "SLICE", 100)
    index = 1000 + torch.arange(len(found.samples.labels))
    path = tmp_path / "kept.npz"  # type: ignore[operator]
    _saved_predictions.save_predictions(path, found, index)
    content, scores = np.load(path), found.samples.compute_scores()
    kept = torch.from_numpy(content["index"]) - 1000
    assert len(kept) == 10
    assert kept[[0, -1]].tolist() == [0, len(index) - 1]
    np.testing.assert_array_equal(content["scores"], scores[kept])
    np.testing.assert_array_equal(content["predictions"], found.samples.predictions[kept])

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, _classifier
from rezsl.data import Benchmark, ImageFormat
from rezsl.errors import ArgumentError, DataError
from rezsl.models import AttentionNet, LinearRegressor
from rezsl.regions import FeatureScaler, small_resnet
from rezsl.semantics import ClassSemantics
from tests.oracles import scoring


@pytest.fixture
def classifier(features: Benchmark) -> ZeroShotClassifier:
    assert isinstance(features.inputs, torch.Tensor)
    torch.manual_seed(0)
    scaler = FeatureScaler.from_features(features.inputs)
    return ZeroShotClassifier(
        scaler, LinearRegressor(8, features.semantics), features.semantics, features.seen_classes, gamma=1.5, scale=10.0
    )


def test_scores_are_scaled_cosines_less_gamma_for_seen_classes(classifier: ZeroShotClassifier) -> None:
    predictions = torch.randn(3, 4)
    cosines = scoring.cosine_scores(predictions.double().numpy(), classifier.semantics.values.double().numpy(), 10.0)
    expected = cosines - 1.5 * np.array([1, 1, 1, 1, 0, 0])
    np.testing.assert_allclose(classifier.scores(predictions).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_classes_that_no_training_saw_can_be_candidates(classifier: ZeroShotClassifier, features: Benchmark) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    own = classifier.semantics
    order = [2, 0, 3, 1]  # the other table has its columns in another order
    other = ClassSemantics(("a", "new"), tuple(own.attributes[i] for i in order), own.values[[0, 4]][:, order])
    ranked = classifier.classify(features.inputs[:5], other, top=9)
    assert all({item.name for item in row} == {"a", "new"} for row in ranked)
    direct = classifier.scores(classifier.predict_semantics(features.inputs[:5]))[:, [0, 4]]
    for row, (of_a, of_new) in zip(ranked, direct.tolist(), strict=True):
        assert {item.name: item.score for item in row} == pytest.approx({"a": of_a, "new": of_new})
        assert sum(item.probability for item in row) == pytest.approx(1.0)
        assert {item.name: item.seen for item in row} == {"a": True, "new": False}
        assert row[0].score >= row[1].score


def test_prediction_in_slices_leaves_the_mode_alone(classifier: ZeroShotClassifier, features: Benchmark) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    classifier.train()
    whole = classifier.predict_semantics(features.inputs)
    torch.testing.assert_close(classifier.predict_semantics(features.inputs, batch_size=7), whole)
    assert classifier.training
    assert classifier.predict_semantics(features.inputs[:0]).shape == (0, 4)
    for size in (0, -1):
        with pytest.raises(ArgumentError, match=f"batch_size: expected at least 1, got {size}"):
            classifier.predict_semantics(features.inputs, batch_size=size)


def test_large_images_come_in_small_batches(semantics: ClassSemantics) -> None:
    backbone = small_resnet(channels=3, natural_size=700, image_size=700, width=2)
    network = LinearRegressor(backbone.region_dim, semantics)
    model = ZeroShotClassifier(backbone, network, semantics, semantics.classes[:4]).eval()
    images = torch.zeros(9, 3, 700, 700, dtype=torch.uint8)
    assert [len(regions) for regions, _ in model.describe(images)] == [4, 4, 1]  # 2²¹ pixels at most
    assert [len(regions) for regions, _ in model.describe(images, batch_size=9)] == [9]
    assert [ImageFormat(size, 3).batch for size in (8, 64, 224, 448, 5000)] == [256, 256, 41, 10, 1]


def test_images_and_files_of_images(tmp_path: Path, semantics: ClassSemantics) -> None:
    backbone = small_resnet(channels=3, natural_size=8, image_size=8, width=4)
    network = AttentionNet(backbone.region_dim, semantics, 4)
    model = ZeroShotClassifier(backbone, network, semantics, ["a"]).eval()
    pixels = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    files = [tmp_path / f"{number}.png" for number in range(2)]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file)
    torch.testing.assert_close(model.predict_semantics(files), model.predict_semantics(pixels))
    torch.testing.assert_close(model(pixels.float() / 255), model(pixels))


def test_the_wrong_kind_of_input_is_named(classifier: ZeroShotClassifier) -> None:
    with pytest.raises(DataError, match="this model expects feature vectors of 8 numbers, got images"):
        classifier.predict_semantics([Path("cat.png")])
    with pytest.raises(DataError, match="expected features of 8 dimensions, got 5"):
        classifier.predict_semantics(torch.zeros(2, 5))
    with pytest.raises(ArgumentError, match="top: expected at least 1, got 0"):
        classifier.classify(torch.zeros(2, 8), top=0)
    with pytest.raises(ArgumentError, match="scale: expected a positive number, got 0"):
        ZeroShotClassifier(classifier.backbone, classifier.network, classifier.semantics, ["a"], scale=0.0)


def test_features_are_scaled_by_the_training_figures() -> None:
    features = torch.randn(1000, 3) * torch.tensor([1.0, 50.0, 0.0]) + torch.tensor([0.0, 7.0, 2.0])
    scaled = FeatureScaler.from_features(features)(features)
    assert scaled.shape == (1000, 1, 3)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(1, 3), atol=1e-4, rtol=0)
    assert scaled.square().mean().item() == pytest.approx(1.0, rel=1e-4)
    ratio = scaled[..., 1].std() / scaled[..., 0].std()
    assert ratio.item() == pytest.approx((features[:, 1].std() / features[:, 0].std()).item(), rel=1e-4)
    constant = torch.full((10, 3), 7.0)
    assert bool((FeatureScaler.from_features(constant)(constant) == 0).all())  # nothing blows up where nothing varies


def test_answers_do_not_depend_on_slices_or_on_what_holds_the_input(
    classifier: ZeroShotClassifier, features: Benchmark, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    rows = features.inputs[:40]
    whole = classifier.classify(rows, top=3)
    np.savez(tmp_path / "rows.npz", rows.numpy())
    for inputs in (rows.numpy(), rows.double(), str(tmp_path / "rows.npz"), [row.numpy() for row in rows]):
        assert [[item.name for item in answer] for answer in classifier.classify(inputs, top=3)] == [
            [item.name for item in answer] for answer in whole
        ]
    assert classifier.classify(rows[0].numpy())[0][0].name == whole[0][0].name
    assert classifier.classify(rows[:0]) == []
    monkeypatch.setattr(_classifier, "SLICE", 1)
    for one, other in zip(classifier.classify(rows, top=3), whole, strict=True):
        assert [item.name for item in one] == [item.name for item in other]
        assert [item.score for item in one] == pytest.approx([item.score for item in other], abs=1e-4)

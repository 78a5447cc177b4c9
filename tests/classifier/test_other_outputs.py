"""Models whose outputs are no attributes: an embedding of each class is compared with the image itself."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.losses import MSELoss
from rezsl.models import SemanticModel, pool
from rezsl.semantics import ClassSemantics
from tests.oracles.scoring import cosine_scores, expected_attributes


class Embedding(SemanticModel):
    """Embeds attributes among features, and knows a class of a certain name by another description."""

    predicts_attributes = False
    scaled_features = False

    def __init__(self, region_dim: int, semantics: ClassSemantics) -> None:
        super().__init__()
        self.embed = torch.nn.Linear(len(semantics.attributes) + 1, region_dim)

    def forward(self, regions: torch.Tensor) -> torch.Tensor:
        return pool(regions)

    def class_vectors(self, classes: ClassSemantics) -> torch.Tensor:
        lengths = torch.tensor([[float(len(name))] for name in classes.classes])
        return torch.cat([classes.values, lengths / 10], dim=1)

    def class_scores(self, predictions: torch.Tensor, class_semantics: torch.Tensor, scale: float) -> torch.Tensor:
        return rezsl.functional.class_scores(predictions, self.embed(class_semantics), scale)


def training(**options: object) -> rezsl.Training:
    return rezsl.Training(**{"loss": None, "max_epochs": 3, "accelerator": "cpu", **options})  # type: ignore[arg-type]


def test_it_is_trained_saved_and_loaded(learnable: Benchmark, tmp_path: Path) -> None:
    result = rezsl.fit(
        learnable, model=Embedding, training=training(max_epochs=10), run_dir=tmp_path / "run", progress=False
    )
    assert result.test is not None
    assert result.test.t1 > 0.7  # chance is 0.25
    loaded = rezsl.load_model(tmp_path / "run")
    assert rezsl.evaluate(loaded, learnable).to_dict() == result.test.to_dict()
    assert float(loaded.state_dict()["backbone.deviation"]) == 1.0  # features as they are


def test_attributes_are_those_expected_of_the_seen_classes(learnable: Benchmark) -> None:
    model = rezsl.fit(learnable, model=Embedding, training=training(), progress=False).model
    inputs = learnable.inputs[:5]
    assert isinstance(inputs, torch.Tensor)
    seen = learnable.semantics.only(model.seen_classes)
    weights = {name: value.double().numpy() for name, value in model.network.state_dict().items()}
    vectors = np.array([[*row, len(name) / 10] for row, name in zip(seen.values.tolist(), seen.classes, strict=True)])
    scores = cosine_scores(inputs.double().numpy(), vectors @ weights["embed.weight"].T + weights["embed.bias"], 20.0)
    expected = expected_attributes(scores, seen.values.double().numpy())
    np.testing.assert_allclose(model.predict_semantics(inputs).numpy(), expected, rtol=1e-4)
    assert model.predict_semantics(inputs[:0]).shape == (0, 6)
    found = rezsl.evaluate(model, learnable)
    assert found.notes[0].startswith("the model predicts no attributes")
    assert {name for name, value in found.metrics().items() if math.isnan(value)} >= {"error_mean", "error_spread"}
    assert bool(found.error_matrix.isfinite().all())
    assert rezsl.evaluation.analyse_evaluation(found).attribute_errors.mean.isfinite().all()


def test_new_classes_are_scored_by_name_and_attributes(learnable: Benchmark) -> None:
    model = rezsl.fit(learnable, model=Embedding, training=training(), progress=False).model
    table = learnable.semantics
    renamed = ClassSemantics(("class 3", "a much longer name"), table.attributes, table.values[[3, 3]])
    outputs, _ = model.examine(learnable.inputs, index=torch.arange(4))
    scores = model.scores(outputs, renamed) + model.gamma * torch.tensor([1.0, 0.0])
    assert not torch.allclose(scores[:, 0], scores[:, 1])
    torch.testing.assert_close(scores[:, 0], model.scores(outputs)[:, 3] + model.gamma)
    assert [answer[0].name in renamed.classes for answer in model.classify(learnable.inputs[:4], renamed)] == [True] * 4


def test_a_regression_loss_teaches_the_expected_attributes(learnable: Benchmark) -> None:
    plain, taught = (
        rezsl.fit(learnable, model=Embedding, training=training(loss=loss, loss_weight=100.0), progress=False)
        for loss in (None, MSELoss())
    )
    assert plain.test is not None
    assert taught.test is not None
    assert float(taught.test.error_matrix.mean()) < float(plain.test.error_matrix.mean())


def test_attributes_have_no_shares_in_its_scores(learnable: Benchmark) -> None:
    model = rezsl.fit(learnable, model=Embedding, training=training(), progress=False).model
    with pytest.raises(ArgumentError, match="class scores are cosines, got Embedding"):
        rezsl.classifier.explain(model, learnable.inputs)
    with pytest.raises(ArgumentError, match="centered: expected false with Embedding"):
        rezsl.fit(learnable, model=Embedding, training=training(centered=True), progress=False)

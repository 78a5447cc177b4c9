"""A model whose outputs are no attributes: it scores classes in the space of the features."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import rezsl
from rezsl.data import Benchmark
from rezsl.functional import class_scores
from rezsl.models import SemanticModel, pool
from rezsl.semantics import ClassSemantics
from rezsl.training import Callback, EpochRecord, Optimization, Stage, Training


class Prototypes(SemanticModel):
    """A prototype of each class in the space of the features is linear in the class's attributes."""

    def __init__(self, region_dim: int, semantics: ClassSemantics) -> None:
        super().__init__()
        self.prototype = torch.nn.Linear(len(semantics.attributes), region_dim)

    def forward(self, regions: Tensor) -> Tensor:
        return pool(regions)

    def attributes_of(self, outputs: Tensor) -> Tensor:
        return outputs @ self.prototype.weight

    def class_scores(self, predictions: Tensor, class_semantics: Tensor, scale: float) -> Tensor:
        return class_scores(predictions, torch.Tensor(self.prototype(class_semantics.to(predictions.dtype))), scale)


class KeptScores(Callback):
    """The validation's metrics, and its scores computed anew from the saved predictions' source."""

    def __init__(self) -> None:
        self.area: list[float] = []
        self.scores: list[Tensor] = []

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        assert record.validation is not None
        assert record.validation.samples is not None
        self.area.append(record.validation.ausuc)
        self.scores.append(record.validation.samples.compute_scores())


def test_scores_of_another_space_are_trained_validated_tested_and_saved(learnable: Benchmark, tmp_path: Path) -> None:
    training = Training(loss=None, max_epochs=4, accelerator="cpu", optimization=Optimization(learning_rate=0.02))
    found = rezsl.fit(learnable, Prototypes, training=training, run_dir=tmp_path / "run", progress=False)
    assert found.test is not None
    assert found.test.t1 > 0.6
    model = found.model
    outputs = model.examine(learnable.inputs)[0]
    assert outputs.shape == (len(learnable.labels), 16)
    predicted = model.predict_semantics(learnable.inputs)
    torch.testing.assert_close(predicted, outputs @ model.network.prototype.weight.detach())  # type: ignore[operator, union-attr]
    # The errors are those of the predicted attributes.
    one = learnable.labels[learnable.split.test_unseen] == learnable.labels[learnable.split.test_unseen][0]
    rows = learnable.split.test_unseen[one]
    direction = torch.nn.functional.normalize(learnable.semantics.values[learnable.labels[rows[0]]], dim=0)
    error = (torch.nn.functional.normalize(predicted[rows], dim=1) - direction).square().mean(dim=0)
    row = found.test.classes.index(learnable.semantics.classes[int(learnable.labels[rows[0]])])
    torch.testing.assert_close(found.test.error_matrix[row].float(), error, atol=1e-6, rtol=1e-4)
    again = rezsl.load_model(tmp_path / "run")
    torch.testing.assert_close(again.scores(outputs), model.scores(outputs))


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_validation_scores_by_the_averaged_weights(learnable: Benchmark, averaging: float) -> None:
    kept = KeptScores()
    optimization = Optimization(learning_rate=0.05, averaging=averaging)
    training = Training(loss=None, max_epochs=1, accelerator="cpu", optimization=optimization)
    model, choice = rezsl.training.select(
        rezsl.training.Setup(learnable, Prototypes, training=training, callbacks=[kept], progress=False)
    )
    # The stage ends with the averaged weights, so those of the validation give equal scores.
    assert choice.ausuc == kept.area[0]
    split = rezsl.data.selection_split(learnable, training.seed)
    names = (*model.seen_classes, *learnable.class_names(split.val_unseen))
    outputs = model.examine(learnable.inputs, index=torch.cat([split.val_seen, split.val_unseen]))[0]
    values = learnable.semantics.values[learnable.semantics.index(names)]
    torch.testing.assert_close(kept.scores[0], model.class_scores(outputs, values).detach())

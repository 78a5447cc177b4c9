"""What all generators have in common: they learn, are saved, and make features of any described class."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import rezsl
from rezsl.data import Benchmark, Split, load_synthetic
from rezsl.errors import ArgumentError
from rezsl.estimators import ZeroShotEstimator
from rezsl.generators import CADAVAE, CLSWGAN, TFVAEGAN, GenerativeModel
from rezsl.semantics import ClassSemantics
from rezsl.training import Setup, train_classifier
from tests.models.tables import table

EVERY = [CADAVAE, CLSWGAN, TFVAEGAN]
QUICK = rezsl.Training(max_epochs=3, accelerator="cpu")
SMALL: dict[str, Any] = {"steps": 60, "hidden_dim": 64, "made": 50, "batch_size": 32, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    """Features of 24 classes, whose 12 attributes differ enough for the 6 unseen ones to be learnt."""
    return load_synthetic(classes=24, attributes=12, samples=1200, dim=16, unseen=6, validation=5)


def trained(kind: type[GenerativeModel], data: Benchmark, epochs: int = 1, **options: object) -> GenerativeModel:
    """A model that was trained on the training images of a benchmark, without the protocol around it."""
    torch.manual_seed(0)
    assert isinstance(data.inputs, torch.Tensor)
    model = kind(data.inputs.shape[1], data.semantics, **{"steps": 10, "made": 30} | options)  # type: ignore[arg-type]
    rows = data.labels[data.split.trainval].unique()
    labels = torch.searchsorted(rows, data.labels[data.split.trainval])
    torch.manual_seed(1)
    features = data.inputs[data.split.trainval]
    for number, losses in enumerate(model.train_epochs(features, labels, data.semantics.values[rows], epochs), start=1):
        assert all(torch.tensor(loss).isfinite() for loss in losses.values())
        if number == epochs:
            break
    return model


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", EVERY)
def test_generators_learn_and_their_runs_are_saved(
    kind: type[GenerativeModel], benchmark: Benchmark, tmp_path: Path
) -> None:
    found = rezsl.fit(benchmark, partial(kind, **SMALL), training=QUICK, run_dir=tmp_path / "run", progress=False)
    assert found.test is not None
    assert found.test.t1 > 1.7 / 6
    assert min(found.test.point.seen, found.test.point.unseen) > 1 / 12
    again = rezsl.load_model(tmp_path / "run")
    assert rezsl.evaluate(again, benchmark).metrics() == pytest.approx(found.test.metrics(), abs=0, nan_ok=True)
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(history) == 1 + 3 + found.choice.epochs
    assert not list((tmp_path / "run").rglob("*.pt"))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", EVERY)
def test_two_runs_with_one_seed_are_equal(kind: type[GenerativeModel], benchmark: Benchmark) -> None:
    setup = Setup(benchmark, partial(kind, **SMALL), training=replace(QUICK, max_epochs=1), progress=False)
    states = [train_classifier(setup, "refit", benchmark.split.trainval, 1).state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("kind", EVERY)
def test_training_does_not_read_classes_without_images(kind: type[GenerativeModel], benchmark: Benchmark) -> None:
    values = benchmark.semantics.values.clone()
    unseen = benchmark.semantics.index(benchmark.unseen_classes)
    values[unseen] = torch.rand(len(unseen), values.shape[1], generator=torch.Generator().manual_seed(9))
    other = replace(benchmark, semantics=replace(benchmark.semantics, values=values))
    first, second = (trained(kind, data).state_dict() for data in (benchmark, other))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", EVERY)
def test_made_features_depend_on_the_class_alone(kind: type[GenerativeModel], benchmark: Benchmark) -> None:
    model = trained(kind, benchmark)
    new = torch.rand(3, 12)
    made = model.features_of(new[1], 5)
    outputs = model(torch.randn(4, 16))
    model.class_scores(outputs, new, 1.0)
    torch.testing.assert_close(model.features_of(new[1], 5), made, rtol=0, atol=0)
    torch.testing.assert_close(model.features_of(7 * new[1], 5).mean(), made.mean(), rtol=1, atol=1)
    assert made.shape == (5, outputs.shape[1])
    assert not torch.allclose(model.features_of(new[2], 5), made)
    assert len({tuple(row.tolist()) for row in made}) == 5


@pytest.mark.parametrize("kind", EVERY)
def test_scores_do_not_depend_on_the_order_of_classes(kind: type[GenerativeModel], benchmark: Benchmark) -> None:
    model, order = trained(kind, benchmark), torch.randperm(24)
    outputs, values = model(torch.randn(4, 16)), benchmark.semantics.values
    scores = model.class_scores(outputs, values, 1.0)
    assert scores.shape == (4, 24)
    torch.testing.assert_close(model.class_scores(outputs, values[order], 1.0), scores[:, order], rtol=0, atol=0)
    twice = model.class_scores(outputs, torch.cat([values, values[:2]]), 1.0)
    torch.testing.assert_close(twice[:, 24:], twice[:, :2], rtol=0, atol=0)
    torch.testing.assert_close(twice[:, :24], scores, rtol=0, atol=0)


def test_seen_classes_have_real_features_also_in_a_table_that_was_written_to_a_file(benchmark: Benchmark) -> None:
    model, semantics = trained(CLSWGAN, benchmark), benchmark.semantics
    seen = semantics.values[semantics.index(benchmark.seen_classes)]
    made = list[torch.Tensor]()
    model.make = lambda conditions, noise: made.append(conditions) or torch.zeros(len(conditions), 16)  # type: ignore[method-assign, func-returns-value]
    model.class_scores(torch.randn(4, 16), seen[:5].mul(1e6).round().div(1e6), 1.0)
    assert not made
    model.class_scores(torch.randn(4, 16), torch.cat([seen[:5], seen[:1] + 0.01]), 1.0)
    assert len(made) == 1


def test_the_regression_rests_on_the_classes_that_are_asked_for(benchmark: Benchmark) -> None:
    model, semantics = trained(CLSWGAN, benchmark), benchmark.semantics
    asked, make = list[torch.Tensor](), model.make

    def recorded(conditions: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        asked.append(conditions[0])
        return make(conditions, noise)

    model.make = recorded  # type: ignore[method-assign]
    seen, unseen = (
        semantics.values[semantics.index(names)] for names in (benchmark.seen_classes, benchmark.unseen_classes)
    )
    model.class_scores(torch.randn(2, 16), torch.cat([seen, unseen[:2]]), 1.0)
    expected = model.conditions(unseen[:2])
    assert sorted(row.tolist() for row in torch.stack(asked)) == sorted(row.tolist() for row in expected)
    model.class_scores(torch.randn(2, 16), torch.cat([seen, unseen[:2]]), 1.0)
    assert len(asked) == 2  # the regression is kept


def test_a_class_that_is_added_to_the_table_later_is_recognised(benchmark: Benchmark, tmp_path: Path) -> None:
    semantics, names = benchmark.semantics, benchmark.unseen_classes
    known = [row for row, name in enumerate(semantics.classes) if name != names[-1]]
    table_before = ClassSemantics(
        tuple(semantics.classes[row] for row in known), semantics.attributes, semantics.values[known]
    )
    kept = (benchmark.labels != semantics.index([names[-1]])[0]).nonzero().squeeze(1)
    position = torch.full((len(benchmark.labels),), -1)
    position[kept] = torch.arange(len(kept))
    row_of = torch.tensor(
        [table_before.classes.index(name) if name in table_before.classes else -1 for name in semantics.classes]
    )
    parts = {name: position[index][position[index] >= 0] for name, index in benchmark.split.parts().items()}
    assert isinstance(benchmark.inputs, torch.Tensor)
    before = Benchmark("before", benchmark.inputs[kept], row_of[benchmark.labels[kept]], table_before, Split(**parts))
    rezsl.fit(before, partial(CADAVAE, **SMALL), training=QUICK, run_dir=tmp_path / "run", progress=False)
    model = rezsl.load_model(tmp_path / "run")
    images = benchmark.inputs[benchmark.labels == semantics.index([names[-1]])[0]]
    unseen = replace(semantics, classes=names, values=semantics.values[semantics.index(names)])
    answers = [answer[0].name for answer in model.classify(images, candidates=unseen)]
    assert sum(name == names[-1] for name in answers) > 2 * len(images) / len(names)
    assert not any(ranked.seen for answer in model.classify(images[:3], unseen, top=6) for ranked in answer)


def test_generators_are_estimators_too(benchmark: Benchmark) -> None:
    assert isinstance(benchmark.inputs, torch.Tensor)
    names = benchmark.semantics.classes
    inputs, y = benchmark.inputs.numpy(), [names[row] for row in benchmark.labels.tolist()]
    train, test = benchmark.split.trainval.tolist(), benchmark.split.test_unseen.tolist()
    estimator = ZeroShotEstimator(
        "cada_vae", training=QUICK, **{f"model__{name}": size for name, size in SMALL.items()}
    )
    estimator.fit(inputs[train], [y[row] for row in train], benchmark.semantics)
    score = estimator.score(inputs[test], [y[row] for row in test], classes=list(benchmark.unseen_classes))
    assert score > 0.5
    assert estimator.predict_semantics(inputs[:3]).shape == (3, 12)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch_size": 1}, "batch_size: expected at least 2, got 1"),
        ({"made": 0}, "made: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate: expected a positive number, got 0\.0"),
        ({"hidden_dim": 0}, "hidden_dim: expected at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(kind: type[GenerativeModel], options: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kind(6, table(4), **options)  # type: ignore[arg-type]

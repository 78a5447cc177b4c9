"""Zero-shot use of the estimators: joining, candidates, and the same weights as the training that they are faces of."""

import inspect
import pickle
import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

import rezsl
from rezsl import models
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, DataError
from rezsl.estimators import (
    ALE,
    CNZSL,
    DAP,
    ESZSL,
    LATEM,
    MLPZSL,
    SAE,
    SJE,
    SYNC,
    DeViSE,
    LinearZSL,
    SmoothedZSL,
    ZeroShotEstimator,
)
from rezsl.losses import MSELoss
from rezsl.semantics import ClassSemantics

GRADIENT: dict[str, Any] = {
    "training__accelerator": "cpu",
    "training__max_epochs": 3,
    "training__optimization__learning_rate": 0.02,
}
SMALL: dict[str, Any] = {"model__hidden_dim": 64, "model__dropout": 0.0, **GRADIENT}
EVERY = [
    ESZSL(),
    SAE(),
    DAP(),
    LinearZSL(**GRADIENT),
    MLPZSL(**SMALL),
    SmoothedZSL(**SMALL),
    ALE(**GRADIENT),
    DeViSE(**GRADIENT),
    SJE(**GRADIENT),
    LATEM(**GRADIENT),
    SYNC(**GRADIENT),
    CNZSL(model__hidden_dim=64, **GRADIENT),
]


def rows(benchmark: Benchmark, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and class names of a part of the split."""
    index = getattr(benchmark.split, part)
    assert isinstance(benchmark.inputs, torch.Tensor)
    names = np.array(benchmark.semantics.classes)[benchmark.labels[index].numpy()]
    return benchmark.inputs[index].numpy(), names


@pytest.mark.parametrize("estimator", EVERY, ids=lambda estimator: type(estimator).__name__)
def test_classes_without_training_samples_are_recognised(estimator: ZeroShotEstimator, learnable: Benchmark) -> None:
    fitted = clone(estimator).fit(*rows(learnable, "trainval"), class_semantics=learnable.semantics)
    X, y = rows(learnable, "test_unseen")
    candidates = np.unique(y)
    assert not set(candidates) & set(fitted.seen_classes_)
    assert set(fitted.predict(X, classes=candidates)) <= set(candidates)
    assert fitted.score(X, y, classes=candidates) > 0.7  # of four classes
    assert fitted.predict_semantics(X).shape == (len(X), 6)
    assert fitted.classes_.tolist() == sorted(learnable.semantics.classes)
    assert fitted.class_semantics_.classes == tuple(fitted.classes_)
    assert fitted.class_scores(X[:3]).shape == (3, 24)


# CLIP needs the weights of its texts.
@pytest.mark.parametrize("name", [name for name in models.MODELS if name != "clip"])
def test_every_model_is_an_estimator_by_its_name_and_can_be_saved(
    name: str, learnable: Benchmark, tmp_path: Path
) -> None:
    _, _, *options = inspect.signature(models.MODELS[name]).parameters.values()
    nested = {f"model__{option.name}": option.default for option in options}
    estimator = ZeroShotEstimator(name, training__max_epochs=1, training__accelerator="cpu")
    assert nested.items() <= estimator.get_params().items()
    semantics = replace(learnable.semantics, word_vectors=torch.randn(6, 5), groups=tuple("aabbcc"))
    fitted = clone(estimator).set_params(**nested).fit(*rows(learnable, "trainval"), class_semantics=semantics)
    assert type(fitted.classifier_.network) is models.MODELS[name]
    X = torch.from_numpy(rows(learnable, "test_unseen")[0])
    rezsl.save_model(fitted.classifier_, tmp_path / "model")
    loaded = rezsl.load_model(tmp_path / "model")
    assert loaded.network.options == fitted.classifier_.network.options
    # An estimator computes in double precision; a saved model is loaded in single precision.
    expected = fitted.classifier_.predict_semantics(X).float()
    torch.testing.assert_close(loaded.predict_semantics(X), expected, rtol=1e-4, atol=1e-5)


def test_the_closed_form_has_the_weights_that_fit_gives(learnable: Benchmark) -> None:
    reference = rezsl.fit(learnable, models.ESZSL, training=rezsl.Training(accelerator="cpu"), progress=False).model
    fitted = ESZSL().fit(*rows(learnable, "trainval"), class_semantics=learnable.semantics)
    _assert_same_semantics(fitted, reference, learnable)


def test_a_gradient_estimator_has_the_weights_that_fit_gives(learnable: Benchmark) -> None:
    """The same seed, losses, batches and schedule: a face, not another training."""
    # Batches are drawn class by class in the order of the table, which an estimator sorts.
    ordered = replace(learnable.semantics, classes=tuple(f"class {number:02}" for number in range(24)))
    learnable = replace(learnable, semantics=ordered)
    reference = rezsl.fit(
        learnable,
        models.LinearRegressor,
        training=rezsl.Training(loss=MSELoss(), max_epochs=1, seed=5, accelerator="cpu"),
        progress=False,
    ).model
    estimator = LinearZSL(training=rezsl.Training(loss=MSELoss(), max_epochs=1, accelerator="cpu"), random_state=5)
    _assert_same_semantics(estimator.fit(*rows(learnable, "trainval"), learnable.semantics), reference, learnable)


def _assert_same_semantics(
    fitted: ZeroShotEstimator, reference: rezsl.ZeroShotClassifier, benchmark: Benchmark
) -> None:
    X, _ = rows(benchmark, "test_unseen")
    expected = reference.predict_semantics(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(fitted.predict_semantics(X), expected, rtol=1e-4, atol=1e-5)


def test_semantics_are_joined_by_label_in_every_form(learnable: Benchmark) -> None:
    X, names = rows(learnable, "trainval")
    table = learnable.semantics
    backwards = ClassSemantics(table.classes[::-1], table.attributes, table.values.flip(0))
    by_name = dict(zip(table.classes, table.values.numpy(), strict=True))
    numbers = learnable.labels[learnable.split.trainval].numpy()
    test, _ = rows(learnable, "test_unseen")
    expected = ESZSL().fit(X, names, class_semantics=table).predict(test)
    assert (ESZSL().fit(X, names, class_semantics=backwards).predict(test) == expected).all()
    assert (ESZSL().fit(X, names, class_semantics=by_name).predict(test) == expected).all()
    from_array = ESZSL().fit(X, numbers, class_semantics=table.values.numpy()).predict(test)
    assert from_array.dtype.kind == "i"
    assert (np.array(table.classes)[from_array] == expected).all()


class DataFrame:
    """As much of pandas as there needs to be."""

    def __init__(self, values: Any, index: list[Any], columns: list[str]) -> None:
        self.values, self.index, self.columns = np.asarray(values), index, columns

    def to_numpy(self) -> np.ndarray:
        return self.values


def test_a_data_frame_is_joined_by_its_index_and_its_columns(learnable: Benchmark) -> None:
    """Never by position: its rows stand in another order than the labels count."""
    (X, _), (test, _) = rows(learnable, "trainval"), rows(learnable, "test_unseen")
    numbers, table = learnable.labels[learnable.split.trainval].numpy(), learnable.semantics.values.numpy()
    backwards = list(range(24))[::-1]
    names = [f"column {number}" for number in range(6)]
    fitted = ESZSL().fit(X, numbers, class_semantics=DataFrame(table[backwards], backwards, names))
    expected = ESZSL().fit(X, numbers, class_semantics=table)
    np.testing.assert_array_equal(fitted.predict(test), expected.predict(test))
    assert fitted.class_semantics_.attributes == tuple(names)
    candidates = DataFrame(table[[23, 20]][:, ::-1], [23, 20], names[::-1])
    np.testing.assert_array_equal(fitted.predict(test, classes=candidates), expected.predict(test, classes=[23, 20]))
    with pytest.raises(
        DataError, match=r"^class_semantics: expected numbers \(.*'fur'.*\); leave out columns of text$"
    ):
        ESZSL().fit(X, numbers, class_semantics=DataFrame([["fur"]] * 24, backwards, ["skin"]))


def test_candidates_may_be_new_classes(learnable: Benchmark) -> None:
    """Classes that the table of training lacks, with their columns in another order."""
    table, (X, y) = learnable.semantics, rows(learnable, "test_unseen")
    known = ClassSemantics(table.classes[:20], table.attributes, table.values[:20])
    fitted = ESZSL().fit(*rows(learnable, "trainval"), class_semantics=known)
    new = ClassSemantics(table.classes[20:], table.attributes[::-1], table.values[20:].flip(1))
    predicted = fitted.predict(X, classes=new)
    assert fitted.score(X, y, classes=new) == np.mean([(predicted[y == name] == name).mean() for name in np.unique(y)])
    assert (
        fitted.predict(X, classes=dict(zip(new.classes, table.values[20:].tolist(), strict=True))) == predicted
    ).all()
    with pytest.raises(
        DataError, match=r"^classes: no semantics for 'class 20'; class_semantics needs a row for each$"
    ):
        fitted.predict(X, classes=["class 1", "class 20"])
    renamed = replace(new, attributes=("wings", *new.attributes[1:]))
    with pytest.raises(DataError, match=r"^attributes: expected the attributes of the model's own table"):
        fitted.predict(X, classes=renamed)


def test_scores_of_classes_in_training_lose_gamma(learnable: Benchmark) -> None:
    X, _ = rows(learnable, "test_unseen")
    fitted = ESZSL().fit(*rows(learnable, "trainval"), class_semantics=learnable.semantics)
    before = fitted.class_scores(X)
    after = fitted.set_params(gamma=3.0).class_scores(X)
    is_seen = np.isin(fitted.classes_, fitted.seen_classes_)
    np.testing.assert_allclose(before - after, np.broadcast_to(3.0 * is_seen, before.shape), atol=1e-6)
    two = fitted.class_scores(X, classes=["class 23", "class 22"])
    np.testing.assert_array_equal(fitted.decision_function(X, classes=["class 23", "class 22"]), two[:, 1] - two[:, 0])


def test_equal_seeds_give_equal_weights_and_no_generator_is_touched(features: Benchmark, unchecked: None) -> None:
    # Unchecked: beartype draws from Python's generator which element of a list it looks at.
    X, y = rows(features, "trainval")
    estimator = LinearZSL(training__max_epochs=1, training__accelerator="cpu", random_state=3)
    before = torch.get_rng_state(), _state_of_numpy(), random.getstate()
    first, second = (clone(estimator).fit(X, y, features.semantics).predict_semantics(X) for _ in range(2))
    assert (first == second).all()
    assert (first != estimator.set_params(random_state=4).fit(X, y, features.semantics).predict_semantics(X)).any()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (_state_of_numpy(), random.getstate()) == before[1:]


def test_a_fitted_estimator_can_be_pickled_and_its_classifier_saved(features: Benchmark, tmp_path: Path) -> None:
    X, y = rows(features, "trainval")
    fitted = SAE().fit(X, y, class_semantics=features.semantics)
    assert (pickle.loads(pickle.dumps(fitted)).class_scores(X) == fitted.class_scores(X)).all()
    rezsl.save_model(fitted.classifier_, tmp_path)
    loaded = rezsl.load_model(tmp_path).predict_semantics(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(loaded, fitted.predict_semantics(X), rtol=1e-4, atol=1e-6)


def test_errors_say_what_to_do(features: Benchmark, unchecked: None) -> None:
    X, y = rows(features, "trainval")
    fit = partial(ESZSL().fit, X, y)
    few = ClassSemantics(("a", "b"), ("wings",), torch.ones(2, 1))
    with pytest.raises(DataError, match=r"^y: no semantics for 'c', 'd'; class_semantics needs a row for each$"):
        fit(class_semantics=few)
    with pytest.raises(
        DataError,
        match=r"a row of equal length for each label, got rows of shapes \(2,\), \(3,\); give every label as many numbers$",
    ):
        fit(class_semantics={"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(
        DataError,
        match=r"or an array \[C, S\] whose row c describes label c, got ndarray of shape \(4,\); give one of these$",
    ):
        fit(class_semantics=np.ones(4))
    with pytest.raises(
        DataError,
        match=r"^classes: expected labels, .* got an array of shape \(0,\); give the labels in one dimension$",
    ):
        fit().predict(X, classes=[])
    with pytest.raises(ArgumentError, match=r"^max_epochs: expected at least 1, got 0$"):
        LinearZSL(training__max_epochs=0).fit(X, y)
    with pytest.raises(
        ArgumentError, match=r"^loss, classification: expected at least one of them, got none; give one$"
    ):
        LinearZSL(training__loss=None, training__classification=None).fit(X, y)


def _state_of_numpy() -> list[int]:
    words: list[int] = np.random.get_state(legacy=False)["state"]["key"].tolist()
    return words


def test_nested_parameters_are_options_of_the_model_and_fields_of_the_training() -> None:
    estimator = ZeroShotEstimator("mlp", model__hidden_dim=8, training__optimization__learning_rate=0.5)
    params = estimator.get_params()
    assert (params["model__hidden_dim"], params["model__dropout"]) == (8, 0.8)
    assert (params["training__optimization__learning_rate"], params["training__max_epochs"]) == (0.5, 20)
    copied = clone(estimator).set_params(model__dropout=0.1, training__optimization__momentum=0.5)
    params = copied.get_params()
    assert (params["model__hidden_dim"], params["model__dropout"]) == (8, 0.1)
    assert (params["training__optimization__learning_rate"], params["training__optimization__momentum"]) == (0.5, 0.5)
    assert estimator.get_params()["model__dropout"] == 0.8
    # The order in which a model and its options are set does not matter.
    assert ZeroShotEstimator(model__penalty=3.0).set_params(model=models.SAE).get_params()["model__penalty"] == 3.0


def test_nested_parameters_decide_the_model(features: Benchmark) -> None:
    fitted = ZeroShotEstimator(models.SAE, model__penalty=2.5).fit(*rows(features, "trainval"), features.semantics)
    assert fitted.classifier_.network.arguments["penalty"] == 2.5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "model__hiden_dim",
            r"^model__hiden_dim: expected a parameter of the model \(model__hidden_dim, .*got this one$",
        ),
        ("training__epochs", r"^training__epochs: expected a parameter of the training \(training__loss, "),
        ("training__batches__way", r"^training__batches__way: expected a parameter of the training \("),
        (
            "modell__hidden_dim",
            r"^modell__hidden_dim: expected a nested parameter model__… or training__…, got this one$",
        ),
        ("penalty", r"^penalty: expected a parameter of MLPZSL \(gamma, model, random_state, training, model__…, "),
    ],
)
def test_an_unknown_parameter_is_refused(name: str, message: str, features: Benchmark) -> None:
    with pytest.raises(ArgumentError, match=message):
        MLPZSL().set_params(**{name: 1}).fit(*rows(features, "trainval"))


def test_an_unknown_model_is_refused(features: Benchmark) -> None:
    with pytest.raises(ArgumentError, match=r"^model: expected a model or one of .*mlp.*, got 'mpl'$"):
        ZeroShotEstimator("mpl").fit(*rows(features, "trainval"))

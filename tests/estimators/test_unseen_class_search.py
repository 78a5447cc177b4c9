"""Choosing settings on classes that training leaves out."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, DataError
from rezsl.estimators import ESZSL, UnseenClassKFold, class_averaged_accuracy, t1_score
from tests.estimators.test_estimators import rows


def test_folds_share_no_class_and_test_every_sample_once() -> None:
    y = np.random.default_rng(0).permutation(np.repeat(list("abcdefg"), 5))
    for splitter in (UnseenClassKFold(3), UnseenClassKFold(3, shuffle=True, random_state=1)):
        folds = list(check_cv(splitter).split(np.zeros((len(y), 1)), y))
        assert len(folds) == splitter.get_n_splits() == 3
        assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(len(y)))
        for train, test in folds:
            assert not set(y[train]) & set(y[test])
            assert len(set(y[test])) >= 2
            assert len(train) + len(test) == len(y)
    first, second, other = (
        [test.tolist() for _, test in UnseenClassKFold(2, shuffle=True, random_state=seed).split(y, y)]
        for seed in (1, 1, 2)
    )
    assert first == second != other
    assert repr(UnseenClassKFold(2)) == "UnseenClassKFold(n_splits=2, random_state=None, shuffle=False)"


def test_errors_of_the_splitter() -> None:
    with pytest.raises(
        DataError, match=r"^y: expected at least 6 classes, two for each of 3 folds, got 5; lower n_splits"
    ):
        next(UnseenClassKFold(3).split(np.zeros(5), np.arange(5)))
    with pytest.raises(ArgumentError, match=r"^n_splits: expected at least 2, got 1$"):
        UnseenClassKFold(1)
    with pytest.raises(
        ArgumentError, match=r"^random_state: expected none without shuffle, got one; set shuffle=True$"
    ):
        UnseenClassKFold(3, random_state=0)


def test_accuracy_is_the_mean_over_the_classes_that_occur() -> None:
    y = np.array([3, 3, 3, 5])
    assert class_averaged_accuracy(y, np.array([3, 3, 9, 5])) == pytest.approx((2 / 3 + 1) / 2)
    assert class_averaged_accuracy(y, np.array([3, 3, 9, 5]), [1, 0, 3, 2]) == pytest.approx((1 / 4 + 1) / 2)
    assert class_averaged_accuracy(y, np.array([5, 5, 5, 3])) == 0.0


def test_a_search_scores_among_the_classes_left_out(learnable: Benchmark) -> None:
    """Each figure of the search is that of a model fitted by hand without the fold's classes."""
    X, y = rows(learnable, "trainval")
    table, grid = learnable.semantics, {"eszsl__model__feature_penalty": [1e-3, 1e4]}
    pipeline = make_pipeline(StandardScaler(), ESZSL())
    folds = UnseenClassKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, cv=folds, scoring=t1_score).fit(X, y, eszsl__class_semantics=table)
    for number, (train, test) in enumerate(folds.split(X, y)):
        scaler, left_out = StandardScaler().fit(X[train]), np.unique(y[test])
        by_hand = ESZSL(model__feature_penalty=1e-3).fit(scaler.transform(X[train]), y[train], class_semantics=table)
        assert not set(left_out) & set(by_hand.seen_classes_)
        predicted = by_hand.predict(scaler.transform(X[test]), classes=left_out)
        expected = np.mean([(predicted[y[test] == name] == name).mean() for name in left_out])
        assert search.cv_results_[f"split{number}_test_score"][0] == pytest.approx(expected)
    assert search.best_params_ == {"eszsl__model__feature_penalty": 1e-3}
    X_unseen, y_unseen = rows(learnable, "test_unseen")
    assert t1_score(search.best_estimator_, X_unseen, y_unseen) > 0.7  # of four classes
    assert isinstance(search.best_estimator_, Pipeline)
    assert search.best_estimator_[-1].seen_classes_.tolist() == np.unique(y).tolist()


def test_metadata_is_routed(learnable: Benchmark) -> None:
    (X, y), (X_unseen, y_unseen) = rows(learnable, "trainval"), rows(learnable, "test_unseen")
    with config_context(enable_metadata_routing=True):
        step = (
            ESZSL()
            .set_fit_request(class_semantics=True)
            .set_predict_request(classes=True)
            .set_score_request(classes=True)
        )
        pipeline = make_pipeline(StandardScaler(), step)
        params = {"class_semantics": learnable.semantics}
        assert cross_val_score(pipeline, X, y, cv=UnseenClassKFold(4), scoring=t1_score, params=params).min() > 0.8
        fitted = pipeline.fit(X, y, class_semantics=learnable.semantics)
        predicted = fitted.predict(X_unseen, classes=np.unique(y_unseen))
        expected = class_averaged_accuracy(y_unseen, predicted)
        assert fitted.score(X_unseen, y_unseen, classes=np.unique(y_unseen)) == expected

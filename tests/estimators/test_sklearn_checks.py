from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from rezsl import estimators
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
from rezsl.training import Batches

pytestmark = pytest.mark.slow

# Few and long steps, for most checks look at the contract, not at the accuracy.
BRIEF: dict[str, Any] = {
    "training__max_epochs": 4,
    "training__optimization__learning_rate": 0.1,
    "training__batches": Batches(ways=0, size=150),
    "training__accelerator": "cpu",
}
SMALL: dict[str, Any] = {"model__hidden_dim": 64, "model__dropout": 0.0, **BRIEF}


EVERY = [
    ZeroShotEstimator(**SMALL),
    ESZSL(),
    SAE(),
    DAP(),
    LinearZSL(**BRIEF),
    MLPZSL(**SMALL),
    SmoothedZSL(**SMALL),
    ALE(**BRIEF),
    DeViSE(**BRIEF),
    SJE(**BRIEF),
    LATEM(**BRIEF),
    SYNC(**BRIEF),
    CNZSL(model__hidden_dim=64, **BRIEF),
]


def test_no_estimator_is_left_out() -> None:
    public = [getattr(estimators, name) for name in estimators.__all__]
    concrete = {kind for kind in public if isinstance(kind, type) and issubclass(kind, ZeroShotEstimator)}
    assert concrete == {type(estimator) for estimator in EVERY}


@parametrize_with_checks(EVERY)  # type: ignore[untyped-decorator] # scikit-learn is untyped
def test_contract_of_sklearn(estimator: Any, check: Any, unchecked: None) -> None:
    """Every check of scikit-learn without an exception; some hand over what the test run's own type checks refuse."""
    check(estimator)

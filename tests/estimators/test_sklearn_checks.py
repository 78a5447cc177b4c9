from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from rezsl.estimators import ALE, DAP, ESZSL, MLPZSL, SAE, LinearZSL
from rezsl.training import Batches

# Few and long steps, for most checks look at the contract, not at the accuracy.
BRIEF: dict[str, Any] = {
    "max_epochs": 4,
    "learning_rate": 0.1,
    "batches": Batches(ways=0, size=150),
    "accelerator": "cpu",
}


@parametrize_with_checks(  # type: ignore[untyped-decorator] # scikit-learn is untyped
    [ESZSL(), SAE(), DAP(), LinearZSL(**BRIEF), MLPZSL(hidden_dim=64, dropout=0.0, **BRIEF), ALE(**BRIEF)]
)
def test_contract_of_sklearn(estimator: Any, check: Any, unchecked: None) -> None:
    """Every check of scikit-learn without an exception; some hand over what the test run's own type checks refuse."""
    check(estimator)

import itertools
import re

import pytest

from rezsl.errors import ArgumentError
from rezsl.losses import FocalRLoss, HuberLoss, MAELoss, RMSELoss
from rezsl.losses.imbalanced_regression import Activation
from rezsl.losses.regression import ErrorKind
from tests.losses.batches import check_against
from tests.oracles import cell_errors as oracle


@pytest.mark.parametrize("normalize", [True, False])
def test_values_and_gradients_match_the_literal_loops(normalize: bool) -> None:
    check_against(MAELoss(normalize), lambda problem, p: oracle.mae(p, problem.target.numpy(), normalize))
    check_against(RMSELoss(normalize), lambda problem, p: oracle.rmse(p, problem.target.numpy(), normalize))
    check_against(
        RMSELoss(normalize, per_cell=True),
        lambda problem, p: oracle.root_per_cell(p, problem.target.numpy(), normalize),
    )
    for delta in (0.05, 0.5, 2.0):
        check_against(
            HuberLoss(delta, normalize),
            lambda problem, p, d=delta: oracle.huber(p, problem.target.numpy(), normalize, d),  # type: ignore[misc]
        )


@pytest.mark.parametrize(
    ("activation", "error", "gamma", "normalize"),
    list(itertools.product(("sigmoid", "tanh"), ("squared", "absolute"), (0.0, 0.5, 2.0), (True, False))),
)
def test_focal_r_matches_the_literal_loops(
    activation: Activation, error: ErrorKind, gamma: float, normalize: bool
) -> None:
    check_against(
        FocalRLoss(3.0, gamma, activation, error, normalize),
        lambda problem, p: oracle.focal_r(p, problem.target.numpy(), normalize, 3.0, gamma, activation, error),
    )


def test_options_out_of_range_are_named(unchecked: None) -> None:
    for kind, options, message in (
        (HuberLoss, {"delta": 0.0}, "delta: expected a positive number, got 0.0"),
        (FocalRLoss, {"beta": -1.0}, "beta: expected a positive number, got -1.0"),
        (FocalRLoss, {"gamma": -1.0}, "gamma: expected a finite number of at least 0, got -1.0"),
        (FocalRLoss, {"activation": "relu"}, "activation: expected one of sigmoid, tanh, got 'relu'"),
        (FocalRLoss, {"error": "root"}, "error: expected one of squared, absolute, got 'root'"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(message)):
            kind(**options)

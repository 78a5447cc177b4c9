import itertools

import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.functional.binning import Kernel
from rezsl.losses import InverseFrequencyLoss, LDSLoss
from rezsl.losses.regression import ErrorKind
from tests.losses.batches import Problem, check_against
from tests.oracles import label_density as oracle

EITHER = (True, False)
KERNELS: tuple[Kernel, ...] = ("gaussian", "triangular", "laplace")


@pytest.mark.parametrize(("square_root", "normalize"), list(itertools.product(EITHER, EITHER)))
@pytest.mark.parametrize("error", ["squared", "absolute"])
def test_inverse_frequency_matches_the_literal_loops(square_root: bool, normalize: bool, error: ErrorKind) -> None:
    check_against(
        InverseFrequencyLoss(3, square_root, error, normalize),
        lambda problem, p: oracle.weighted_loss(
            p, problem.table.numpy(), problem.labels.numpy(), problem.counts.numpy(),
            normalize=normalize, bins=3, square_root=square_root, error=error,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("kernel", "square_root", "reach"), list(itertools.product(KERNELS, EITHER, (0, 2))))
def test_lds_matches_the_literal_loops(kernel: Kernel, square_root: bool, reach: int) -> None:
    check_against(
        LDSLoss(6, kernel, reach, 1.5, square_root),
        lambda problem, p: oracle.weighted_loss(
            p, problem.table.numpy(), problem.labels.numpy(), problem.counts.numpy(),
            normalize=True, bins=6, square_root=square_root, error="squared", smoothing=(kernel, reach, 1.5),
        ),
    )  # fmt: skip


def test_weights_have_mean_one_over_the_training_samples_and_a_constant_semantic_has_only_ones() -> None:
    problem = Problem(classes=9)
    problem.table[:, 1] = 0.5
    loss = LDSLoss(normalize=False)
    loss.prepare(problem.table, problem.counts)
    assert loss.class_weights is not None
    of_samples = loss.class_weights.repeat_interleave(problem.counts, dim=0)
    torch.testing.assert_close(of_samples.mean(dim=0), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(of_samples[:, 1], torch.ones(len(of_samples), dtype=torch.float64))


def test_it_must_be_prepared() -> None:
    problem = Problem()
    with pytest.raises(
        ArgumentError, match=r"loss: expected prepare\(class_semantics, class_counts\) first, got a batch"
    ):
        LDSLoss()(problem.prediction, problem.target, problem.labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 0}, "bins: expected at least 1, got 0"),
        ({"kernel": "box"}, "kernel: expected one of gaussian, triangular, laplace, got 'box'"),
        ({"reach": -1}, "reach: expected at least 0, got -1"),
        ({"spread": 0.0}, "spread: expected a positive number, got 0.0"),
        ({"error": "root"}, "error: expected one of squared, absolute, got 'root'"),
    ],
)
def test_an_option_out_of_range_is_named(options: dict[str, object], message: str, unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=message):
        LDSLoss(**options)  # type: ignore[arg-type]

"""The check of public functions, losses and metrics by the shapes and types of their signatures."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor

import rezsl
from rezsl.errors import ArgumentError
from rezsl.functional import class_error_matrix, class_scores, imbalance, seen_unseen_curve, seen_unseen_margins
from rezsl.functional.shapes import checked
from rezsl.losses import LOSSES, ClassificationLoss, CrossEntropyLoss, MSELoss, RegressionLoss, ReMSELoss, RRTLoss
from rezsl.metrics import ClassError, SeenUnseen

pytestmark = pytest.mark.usefixtures("unchecked")


@checked
def known(
    rows: Float[Tensor, "B *cells S"], places: Float[Tensor, "3 S"] | None = None, mask: Bool[Tensor, "S"] | None = None
) -> int:
    """Return the number of rows."""
    return len(rows)


def test_what_agrees_is_taken() -> None:
    assert (
        known(torch.ones(2, 4)) == known(torch.ones(2, 5, 6, 4), torch.ones(3, 4), torch.ones(4, dtype=torch.bool)) == 2
    )
    assert known(rows=torch.ones(0, 4, dtype=torch.bfloat16)) == 0
    assert known.__name__ == "known"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(4),), r"rows: expected shape \[B, \*cells, S\], got \[4\]; "),
        ((torch.ones(2, 4), torch.ones(3, 5)), r"places: expected shape \[3, S\] with S = 4 as in rows of shape \[2, 4\], got \[3, 5\]"),
        ((torch.ones(2, 4), torch.ones(2, 4)), r"places: expected shape \[3, S\]"),
        ((torch.ones(2, 4).long(),), r"rows: expected floating-point numbers, got int64; convert them with \.float\(\)"),
        ((torch.ones(2, 4), None, torch.ones(4)), r"mask: expected true or false, got float32"),
        (([[1.0]],), r"rows: expected a tensor, got list; "),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}"):
        known(*arguments)


def regression_losses() -> list[RegressionLoss]:
    concrete = [
        one for one in LOSSES.values() if issubclass(one, RegressionLoss) and one.__module__.startswith("rezsl.")
    ]
    found = [one(normalize=False) for one in concrete if not one.__abstractmethods__ and one is not RRTLoss]
    assert len(found) >= 10
    return found


@pytest.mark.parametrize("loss", regression_losses(), ids=lambda loss: type(loss).__name__)
def test_no_loss_broadcasts_a_target_or_takes_other_labels(loss: RegressionLoss) -> None:
    loss.prepare(torch.rand(4, 1), torch.ones(4, dtype=torch.int64))
    prediction, labels = torch.rand(4, 1), torch.arange(4)
    loss(prediction, torch.rand(4, 1), labels)
    with pytest.raises(ArgumentError, match=r"^target: .* B = 4, S = 1 as in prediction of shape \[4, 1\], got \[4\]"):
        loss(prediction, torch.rand(4), labels)
    for wrong in (torch.rand(1, 1), torch.rand(4, 2)):
        with pytest.raises(ArgumentError, match=r"^target: expected shape \[B, S\]"):
            loss(prediction, wrong, labels)
    with pytest.raises(ArgumentError, match=r"^labels: expected shape \[B\] with B = 4"):
        loss(prediction, torch.rand(4, 1), labels[:, None])
    for kind in (torch.uint8, torch.int32, torch.float32, torch.bool):
        with pytest.raises(ArgumentError, match=r"^labels: expected whole numbers of type int64, got"):
            loss(prediction, torch.rand(4, 1), labels.to(kind))


def test_labels_of_classification_losses_are_columns() -> None:
    names = [
        name for name, one in LOSSES.items() if issubclass(one, ClassificationLoss) and not one.__abstractmethods__
    ]
    assert {"CrossEntropyLoss", "ALELoss"} <= set(names)
    # PyTorch's cross-entropy leaves samples with the label -100 out of its mean.
    for label in (-100, -1, 3):
        with pytest.raises(ArgumentError, match=rf"^labels: expected classes from 0 to 2, got {label}; "):
            CrossEntropyLoss()(torch.rand(2, 3), torch.tensor([0, label]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_error_matrix(torch.rand(4, 2), torch.arange(3)), r"labels: .* B = 4 as in errors"),
        (lambda: class_scores(torch.rand(4, 2), torch.rand(3, 5)), r"class_semantics: .* S = 2 as in predictions"),
        (lambda: imbalance(torch.rand(4, 2), torch.rand(3, 2)), r"class_semantics: .* K = 4"),
        (lambda: seen_unseen_margins(torch.rand(2, 3), torch.tensor([0, -1]), torch.ones(3).bool()), "labels: .* got -1"),
        (
            lambda: seen_unseen_curve(
                torch.rand(2, 3), torch.zeros(2).long(), torch.rand(2, 4), torch.zeros(2).long(), torch.ones(3).bool()
            ),
            r"unseen_scores: .* C = 3 as in seen_scores of shape \[2, 3\], got \[2, 4\]",
        ),
        (lambda: ClassError(3, 2).update(torch.rand(2, 2), torch.tensor([0, 9])), "labels: .* 0 to 2, got 9"),
        (lambda: SeenUnseen(torch.ones(3).bool()).update(torch.rand(2, 3), torch.tensor([0, 3])), "labels: .* got 3"),
        (lambda: SeenUnseen(torch.ones(3).bool()).update(torch.rand(3), torch.tensor([0])), r"scores: .* got \[3\]"),
    ],
)  # fmt: skip
def test_functions_and_metrics_refuse_what_does_not_go_together(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}"):
        call()


@pytest.mark.parametrize("memory", ["batch", "running", "ema"])
@pytest.mark.parametrize("error", ["squared", "absolute", "root", "cell_root"])
def test_the_loss_of_a_diverged_model_is_not_a_number(memory: Any, error: Any) -> None:
    loss = ReMSELoss(memory=memory, error=error, normalize=False)
    prediction = torch.full((3, 2), torch.nan)
    for _ in range(2):
        assert loss(prediction, torch.rand(3, 2), torch.tensor([0, 1, 1])).isnan()
    assert rezsl.losses.RMSELoss(normalize=False)(prediction, torch.rand(3, 2), torch.zeros(3).long()).isnan()
    assert MSELoss(normalize=False)(torch.full((1, 2), torch.inf), torch.rand(1, 2), torch.tensor([0])).isinf()

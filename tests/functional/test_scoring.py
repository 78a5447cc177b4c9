import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rezsl.functional import class_accuracies, class_scores, l2_normalize
from tests.oracles import scoring as oracle

LABELS = arrays(np.int64, st.shared(st.integers(1, 30), key="n"), elements=st.integers(0, 5))


def test_scores_match_the_literal_loops(generator: torch.Generator) -> None:
    predictions = torch.randn(5, 7, generator=generator, dtype=torch.float64)
    semantics = torch.randn(3, 7, generator=generator, dtype=torch.float64)
    expected = oracle.cosine_scores(predictions.numpy(), semantics.numpy(), 25.0)
    np.testing.assert_allclose(class_scores(predictions, semantics, 25.0).numpy(), expected, rtol=1e-12)


def test_rows_of_any_magnitude_get_length_one() -> None:
    row = torch.tensor([3.0, 4.0])
    for scale in (1e-38, 1e-20, 1.0, 1e20, 1e37):
        torch.testing.assert_close(l2_normalize(row * scale), torch.tensor([0.6, 0.8]))


def test_a_zero_row_stays_zero_and_has_a_finite_gradient() -> None:
    rows = torch.zeros(2, 3, requires_grad=True)
    normalized = l2_normalize(rows)
    normalized.sum().backward()
    assert bool((normalized == 0).all())
    assert rows.grad is not None
    assert bool(rows.grad.isfinite().all())


def test_gradient_of_normalisation() -> None:
    rows = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(l2_normalize, rows)


@given(predicted=LABELS, target=LABELS)
def test_accuracy_counts_only_classes_of_the_target(predicted: np.ndarray, target: np.ndarray) -> None:
    accuracy, classes = class_accuracies(torch.from_numpy(predicted), torch.from_numpy(target))
    assert dict(zip(classes.tolist(), accuracy.tolist(), strict=True)) == oracle.class_accuracies(predicted, target)

from functools import partial

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.losses import ALELoss, DeViSELoss, OneVersusOtherLoss, RankingLoss, SJELoss, StructuredLoss
from rezsl.training import Batches
from tests.oracles import ranking as oracle
from tests.oracles.gradient import numerical_gradient

KINDS: list[tuple[type[RankingLoss], oracle.Kind]] = [
    (ALELoss, "ale"),
    (DeViSELoss, "devise"),
    (SJELoss, "sje"),
]


@pytest.mark.parametrize(("new", "kind"), [*KINDS, (OneVersusOtherLoss, "one")])
@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_value_and_gradient_match_the_literal_loops(
    new: type[RankingLoss], kind: oracle.Kind, margin: float, generator: torch.Generator
) -> None:
    for size, classes in ((6, 5), (1, 2), (3, 1)):
        scores = torch.randn(size, classes, generator=generator, dtype=torch.float64)
        labels = torch.randint(classes, (size,), generator=generator)
        literal = partial(oracle.ranking, kind, labels=labels.numpy(), margin=margin)
        at = scores.numpy().copy()
        scores.requires_grad_()
        value = new(margin)(scores, labels)
        value.backward()
        assert value.item() == pytest.approx(literal(at), rel=1e-12)
        assert scores.grad is not None
        np.testing.assert_allclose(scores.grad.numpy(), numerical_gradient(literal, at), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("new", [kind for kind, _ in KINDS])
@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1.0, 1e30])
def test_finite_at_every_magnitude_and_in_half_precision(new: type[RankingLoss], magnitude: float) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        scores = (magnitude * torch.tensor([[1.0, -1.0, 0.5], [0.0, 0.0, 0.0]])).to(dtype).requires_grad_()
        value = new()(scores, torch.tensor([1, 0]))
        value.backward()
        assert value.dtype == torch.float32
        assert bool(value.isfinite())
        assert scores.grad is not None
        assert bool(scores.grad.isfinite().all())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("new", [kind for kind, _ in KINDS])
def test_the_classes_of_a_benchmark_are_learnt_by_it_alone(new: type[RankingLoss], learnable: Benchmark) -> None:
    result = rezsl.fit(
        learnable,
        training=rezsl.Training(
            loss=None, classification=new(), max_epochs=4, batches=Batches(ways=4, shots=4), accelerator="cpu"
        ),
        progress=False,
    )
    assert result.test is not None
    assert result.test.t1 > 0.6  # chance is 0.25


def test_options_are_checked_and_recorded() -> None:
    assert str(SJELoss(0.5)) == "SJELoss(margin=0.5)"
    assert not ALELoss().state_dict()
    with pytest.raises(ArgumentError, match="margin: expected a finite number of at least 0, got -1"):
        DeViSELoss(margin=-1.0)
    with pytest.raises(ArgumentError, match=r"scores: expected at least one sample and class, got shape \(0, 3\)"):
        ALELoss()(torch.empty(0, 3), torch.empty(0, dtype=torch.int64))


def test_the_structured_loss_matches_the_literal_loops(generator: torch.Generator) -> None:
    semantics = torch.rand(5, 4, generator=generator, dtype=torch.float64) + 0.1
    scores = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (6,), generator=generator)
    literal = partial(oracle.structured, labels=labels.numpy(), semantics=semantics.numpy(), margin=1.5)
    loss, at = StructuredLoss(1.5), scores.numpy().copy()
    with pytest.raises(ArgumentError, match=r"loss: expected prepare\(class_semantics\) first, got a batch"):
        loss(scores, labels)
    loss.prepare(semantics)
    value = loss(scores.requires_grad_(), labels)
    value.backward()
    assert value.item() == pytest.approx(literal(at), rel=1e-12)
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad.numpy(), numerical_gradient(literal, at), rtol=1e-6, atol=1e-8)

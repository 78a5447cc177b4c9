from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from rezsl.evaluation import Analysis, AnalysisOptions, analyse
from rezsl.semantics import ClassSemantics

QUICK = AnalysisOptions(resamples=50, value_bins=4, confidence_bins=5, neighbours=2, worst=3)


@dataclass(frozen=True, eq=False)
class Case:
    """Predictions of 12 classes, 8 of them seen; the seen class "c7" and the unseen "c11" have no samples."""

    semantics: ClassSemantics
    predictions: torch.Tensor
    labels: torch.Tensor

    @property
    def seen(self) -> tuple[str, ...]:
        return self.semantics.classes[:8]


def predicted(noise: float, seed: int = 0) -> Case:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(12, 6, generator=torch.Generator().manual_seed(0)) + 0.05
    labels = torch.tensor([0, 1, 2, 3, 4, 5, 6, 8, 9, 10]).repeat(13)
    predictions = values[labels] + noise * torch.randn(130, 6, generator=generator)
    names = tuple(f"c{number}" for number in range(12))
    return Case(ClassSemantics(names, tuple("uvwxyz"), values, groups=tuple("aabbcc")), predictions, labels)


@pytest.fixture
def case() -> Case:
    return predicted(noise=0.3)


@pytest.fixture
def analysed() -> Callable[..., Analysis]:
    """Analyses of predictions with a given noise and seed."""

    def run(noise: float, seed: int = 0) -> Analysis:
        made = predicted(noise, seed)
        return analyse(made.predictions, made.labels, made.semantics, made.seen, gamma=0.4, options=QUICK)

    return run

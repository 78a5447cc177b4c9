from functools import partial

import pytest
import torch
from torch.nn import functional as F

from rezsl.errors import ArgumentError
from rezsl.functional import class_scores
from rezsl.losses import MSELoss, Objective
from tests.oracles import scoring as oracle


def test_terms_and_their_sum(generator: torch.Generator) -> None:
    table = torch.rand(3, 5, generator=generator, dtype=torch.float64)
    prediction = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 2, 1, 1])
    terms = Objective(table, MSELoss(normalize=False), loss_weight=0.3, score=partial(class_scores, scale=7.0))(
        prediction, labels
    )
    scores = torch.from_numpy(oracle.cosine_scores(prediction.numpy(), table.numpy(), 7.0))
    classification = -scores.log_softmax(dim=1)[torch.arange(4), labels].mean()
    regression = F.mse_loss(prediction, table[labels])
    torch.testing.assert_close(terms.classification, classification)
    torch.testing.assert_close(terms.regression, regression)
    torch.testing.assert_close(terms.total, classification + 0.3 * regression)


def test_cross_entropy_alone() -> None:
    terms = Objective(torch.eye(3), None)(torch.eye(3), torch.arange(3))
    assert terms.regression.item() == 0
    assert terms.total.item() == terms.classification.item()


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ArgumentError, match="loss_weight: expected a finite number of at least 0, got -1"):
        Objective(torch.eye(3), None, loss_weight=-1.0)

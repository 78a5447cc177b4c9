import re

import numpy as np
import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.models import MLPRegressor
from tests.models.tables import table


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_prediction_is_that_of_the_loops(slope: float) -> None:
    """With a slope of 0.1 and without dropout this is BasicNet with a hidden layer, also in training."""
    model = MLPRegressor(6, table(3), hidden_dim=8, dropout=0.0, negative_slope=slope).double().train()
    regions = torch.randn(4, 5, 6).double()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    got, negative = model(regions).detach().numpy(), 0
    for b, image in enumerate(regions.numpy()):
        pooled, hidden = sum(region for region in image) / len(image), []
        for h in range(8):
            x = float(pooled @ state["hidden.weight"][h] + state["hidden.bias"][h])
            negative += x < 0
            hidden.append(x if x > 0 else slope * x)
        for s in range(3):
            expected = sum(w * z for w, z in zip(state["readout.weight"][s], hidden, strict=True))
            np.testing.assert_allclose(got[b, s], expected + state["readout.bias"][s])
    assert negative > 0


def test_an_option_out_of_range_is_named() -> None:
    with pytest.raises(ArgumentError, match=re.escape("negative_slope: expected a number in [0, 1), got 1.0")):
        MLPRegressor(6, table(3), negative_slope=1.0)

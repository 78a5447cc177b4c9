import pytest
import torch

from rezsl.models import AttentionNet, LinearRegressor, MLPRegressor, SemanticModel

MODELS = [AttentionNet, LinearRegressor, MLPRegressor]


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_is_restored_from_its_architecture_and_state(kind: type[SemanticModel]) -> None:
    model = kind.build(6, torch.randn(5, 3)).eval()
    copy = kind.restore(model.architecture()).eval()
    copy.load_state_dict(model.state_dict())
    regions = torch.randn(2, 9, 6)
    torch.testing.assert_close(copy(regions), model(regions), rtol=0, atol=0)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_parameter_gets_a_gradient(kind: type[SemanticModel], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = kind.build(6, torch.randn(5, 3)).to(dtype)
    prediction = model(torch.randn(2, 9, 6, dtype=dtype))
    assert prediction.shape == (2, 5)
    assert prediction.dtype == dtype
    prediction.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


@pytest.mark.parametrize("kind", [LinearRegressor, MLPRegressor])
def test_features_are_one_region(kind: type[SemanticModel]) -> None:
    model = kind.build(6, torch.eye(5)).eval()
    features = torch.randn(3, 6)
    torch.testing.assert_close(model(features), model(features.unsqueeze(1)))
    torch.testing.assert_close(model(features.unsqueeze(1).expand(3, 4, 6)), model(features))

import inspect
from typing import Any

import pytest
import torch

from rezsl import generators, models
from rezsl.errors import ArgumentError
from rezsl.models import MODELS, ClosedForm, HasAttention, HasOwnTraining, LinearRegressor, SemanticModel, pool
from rezsl.records import import_modules
from rezsl.semantics import ClassSemantics
from tests.models.tables import table


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_made_again_from_its_options_and_state(name: str) -> None:
    semantics = table(5, word_vectors=torch.randn(5, 3), groups=tuple("aabbc"))
    model = MODELS[name](6, semantics).eval()
    copy = MODELS[name](6, semantics, **model.options).eval()
    copy.load_state_dict(model.state_dict())
    regions = torch.randn(2, 9, 6)
    torch.testing.assert_close(copy(regions), model(regions), rtol=0, atol=0)


@pytest.mark.parametrize(
    "kind", [kind for kind in MODELS.values() if not issubclass(kind, (ClosedForm, HasOwnTraining))]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_parameter_gets_a_gradient(kind: type[SemanticModel], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = kind(6, table(5, word_vectors=torch.randn(5, 3))).to(dtype)
    output = model.training_forward(torch.randn(2, 9, 6, dtype=dtype), torch.rand(2, 5, dtype=dtype))
    prediction = output.prediction
    if not kind.predicts_attributes:
        prediction = model.class_scores(prediction, torch.rand(5, 5), 1.0)
    assert prediction.shape == (2, 5)
    assert prediction.dtype == dtype
    (prediction.square().sum() + output.penalty.sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


@pytest.mark.parametrize("kind", [kind for kind in MODELS.values() if not issubclass(kind, HasAttention)])
def test_features_are_one_region(kind: type[SemanticModel]) -> None:
    model = kind(6, table(5)).eval()
    features = torch.randn(3, 6)
    torch.testing.assert_close(model(features), model(features.unsqueeze(1)))
    torch.testing.assert_close(model(features.unsqueeze(1).expand(3, 4, 6)), model(features))


def test_every_public_module_is_found_and_every_option_has_a_default_and_a_description() -> None:
    packages = {package.__name__: package for package in (models, generators)}
    modules = {module.__name__ for package in packages for module in import_modules(package)}
    # Tests of users' own models register others in this process.
    assert {name for kind in MODELS.values() if (name := kind.__module__).startswith("rezsl.")} == modules
    for kind in MODELS.values():
        package = packages.get(kind.__module__.rpartition(".")[0])
        if package is not None:
            assert getattr(package, kind.__name__) is kind
            assert kind.__name__ in package.__all__
        _, _, *options = list(inspect.signature(kind).parameters.values())
        for option in options:
            assert option.default is not inspect.Parameter.empty, (kind, option)
            assert any(f" {option.name}: " in (base.__doc__ or "") for base in kind.__mro__), (kind, option)


@pytest.mark.parametrize(
    ("name", "has_attention", "is_closed_form", "scores_are_cosines"),
    [
        ("attention", True, False, True),
        ("gem", True, False, True),
        ("linear", False, False, True),
        ("mlp", False, False, True),
        ("smoothed", False, False, True),
        ("bilinear", False, False, False),
        ("sae", False, True, True),
        ("eszsl", False, True, False),
        ("dap", False, True, False),
        ("apn", True, False, True),
        ("latem", False, False, False),
        ("sync", False, False, False),
        ("cn_zsl", False, False, False),
        ("clip", False, True, False),
        ("cada_vae", False, False, False),
        ("clswgan", False, False, False),
        ("tf_vaegan", False, False, False),
    ],
)
def test_what_a_model_can_do_is_asked_of_it(
    name: str, has_attention: bool, is_closed_form: bool, scores_are_cosines: bool
) -> None:
    kind = MODELS[name]
    assert issubclass(kind, HasAttention) == has_attention
    assert issubclass(kind, ClosedForm) == is_closed_form
    assert kind.scores_are_cosines == scores_are_cosines


@pytest.mark.parametrize("kind", [kind for kind in MODELS.values() if issubclass(kind, HasAttention)])
def test_attention_sums_to_one(kind: type[SemanticModel]) -> None:
    model = kind(6, table(5))
    assert isinstance(model, HasAttention)
    weights = model.attention(torch.randn(2, 9, 6))
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 5))


def test_a_class_registers_itself_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{SemanticModel.__module__}.MODELS", dict(MODELS))
    registry: dict[str, Any] = vars(inspect.getmodule(SemanticModel))["MODELS"]

    class Scaled(SemanticModel, name="scaled"):
        """A mean region times a number."""

        def __init__(self, region_dim: int, semantics: ClassSemantics, factor: float = 2.0) -> None:
            super().__init__()
            self.readout = torch.nn.Linear(region_dim, len(semantics.attributes))
            self.factor = factor

        def forward(self, regions: torch.Tensor) -> torch.Tensor:
            return self.factor * torch.Tensor(self.readout(pool(regions)))

        def class_scores(self, predictions: torch.Tensor, class_semantics: torch.Tensor, scale: float) -> torch.Tensor:
            return scale * predictions @ class_semantics.T

    assert registry["scaled"] is Scaled
    assert not Scaled.scores_are_cosines
    assert Scaled(6, table(5), factor=3.0).options == {"factor": 3.0}
    assert Scaled(6, table(5)).options == {"factor": 2.0}

    with pytest.raises(ArgumentError, match=r"name: expected one that no other model has, got 'scaled' of .*Scaled"):

        class Other(LinearRegressor, name="scaled"):
            """Another model of that name."""

    with pytest.raises(ArgumentError, match=r"Wrong: expected a constructor \(region_dim, semantics, <options>\), got"):

        class Wrong(LinearRegressor):
            """A model that counts the attributes itself."""

            def __init__(self, region_dim: int, num_semantics: int) -> None:
                super().__init__(region_dim, table(num_semantics))

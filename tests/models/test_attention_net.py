import copy

import numpy as np
import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.models import AttentionNet
from tests.models.tables import table
from tests.oracles.attention import attention_net, place_shares
from tests.oracles.literal_attention_torch import LiteralAttentionNet

SIZES = [(6, 5, 4, 0), (6, 5, 4, 7)]


def pair(
    region_dim: int, semantics: int, width: int, hidden: int, places: torch.Tensor | None = None, ratio: float = 1.0
) -> tuple[AttentionNet, LiteralAttentionNet]:
    """The network and its literal form, with the same random parameters, in double precision."""
    torch.manual_seed(0)
    vectors = torch.randn(semantics, 3, dtype=torch.float64)
    literal = LiteralAttentionNet(region_dim, vectors, width, hidden, ratio).double()
    for parameter in literal.parameters():
        torch.nn.init.normal_(parameter)
    described = table(semantics, word_vectors=vectors, places=places)
    network = AttentionNet(region_dim, described, width, hidden, ratio).double()
    network.load_state_dict(literal.state_dict())
    return network, literal


@pytest.mark.parametrize("ratio", [1.0, 0.125, 0.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_and_all_gradients_match_the_literal_network(sizes: tuple[int, int, int, int], ratio: float) -> None:
    network, literal = pair(*sizes, ratio=ratio)
    regions = torch.randn(3, 9, 6, dtype=torch.float64)
    ours, theirs = regions.clone().requires_grad_(), regions.clone().requires_grad_()
    predicted, expected = network(ours), literal(theirs)
    torch.testing.assert_close(predicted, expected)
    predicted.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    gradients = dict(literal.named_parameters())
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, msg=name)


PLACES = torch.tensor([[0.2, 0.7, 0.2], [0.3, 0.4, torch.inf], [0.5, 0.5, 1.0], [1.0, 0.0, 0.3], [0.0, 0.4, 0.15]])


@pytest.mark.parametrize("places", [None, PLACES.double()])
@pytest.mark.parametrize("sizes", SIZES)
def test_predictions_and_attention_match_the_slow_loops(
    sizes: tuple[int, int, int, int], places: torch.Tensor | None
) -> None:
    network, _ = pair(*sizes, places)
    regions = torch.randn(2, 9, 6, dtype=torch.float64)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    hidden = {"hidden_weight": state["hidden.weight"], "hidden_bias": state["hidden.bias"]} if sizes[3] else {}
    prediction, attention = attention_net(
        regions.numpy(), network.word_vectors.numpy(),
        query_weight=state["query.weight"], query_bias=state["query.bias"], key_weight=state["key.weight"],
        value_weight=state["value.weight"], value_bias=state["value.bias"], output_weight=state["output.weight"],
        output_bias=state["output.bias"], readout=state["readout"],
        shares=place_shares(places.numpy(), 3, 3) if places is not None else None, **hidden,
    )  # fmt: skip
    with torch.no_grad():
        np.testing.assert_allclose(network(regions).numpy(), prediction, rtol=1e-9)
        np.testing.assert_allclose(network.attention(regions).numpy(), attention, rtol=1e-9, atol=1e-12)


def test_places_that_nobody_knows_change_nothing() -> None:
    plain, _ = pair(6, 5, 4, 0)
    placed, _ = pair(6, 5, 4, 0, torch.tensor([[0.5, 0.5, torch.inf]] * 5, dtype=torch.float64))
    regions = torch.randn(2, 9, 6, dtype=torch.float64)
    torch.testing.assert_close(placed(regions), plain(regions))


def test_a_narrow_place_at_which_there_is_nothing_else_keeps_gradients_finite() -> None:
    network, _ = pair(6, 5, 4, 0, torch.tensor([[0.1, 0.1, 1e-3]] * 5, dtype=torch.float64))
    regions = torch.randn(2, 10, 6, dtype=torch.float64, requires_grad=True)  # a class token before 3 × 3 cells
    network(regions).sum().backward()
    assert regions.grad is not None
    assert bool(regions.grad.isfinite().all())
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in network.parameters())
    torch.testing.assert_close(network.attention(regions)[0, 0, 1], torch.tensor(1.0, dtype=torch.float64))


def test_the_table_gives_word_vectors_and_places_and_the_state_does_not_repeat_them() -> None:
    vectors = torch.randn(5, 3)
    network = AttentionNet(6, table(5, word_vectors=vectors, places=PLACES.float()), 4)
    assert not {"word_vectors", "places"} & set(network.state_dict())
    assert torch.equal(network.word_vectors, vectors)
    assert network.places is not None
    assert torch.equal(network.places, PLACES.float())
    assert torch.equal(AttentionNet(6, table(5)).word_vectors, torch.eye(5))
    bare = AttentionNet(6, vectors, 4)
    assert bare.places is None
    plain = AttentionNet(6, table(5, word_vectors=vectors), 4)
    plain.load_state_dict(bare.state_dict())
    regions = torch.randn(2, 9, 6)
    torch.testing.assert_close(bare(regions), plain(regions), rtol=0, atol=0)


def test_huge_logits_stay_finite() -> None:
    network, _ = pair(6, 5, 4, 0)
    regions = (1e4 * torch.randn(2, 9, 6, dtype=torch.float64)).requires_grad_()
    network(regions).sum().backward()
    assert regions.grad is not None
    assert bool(regions.grad.isfinite().all())


@torch.no_grad()
def test_first_weights_are_what_the_options_say() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(400, 3)
    plain = AttentionNet(64, vectors, 16)
    assert float(plain.readout.abs().max()) <= 1 / 8
    assert float(plain.readout.std()) == pytest.approx(1 / 8 / 3**0.5, rel=0.02)
    assert not plain.output.weight.any()
    for hidden in (0, 50):
        paper = AttentionNet(64, vectors, 16, hidden, readout_std=1.0, output_init="uniform")
        for _ in range(2):
            assert float(paper.readout.mean()) == pytest.approx(0.0, abs=0.03)
            assert float(paper.readout.std()) == pytest.approx(1.0, rel=0.02)
            assert float(paper.readout.abs().max()) > 3  # a normal distribution, not a uniform one
            before = paper.readout.clone()
            paper.reset_readout()  # what RRTLoss does in the middle of a training
            assert not torch.equal(before, paper.readout)
        assert float(paper.output.weight.abs().max()) <= 1 / 4
        assert float(paper.output.weight.std()) == pytest.approx(1 / 4 / 3**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": -0.1}, "ratio: expected a finite number of at least 0, got -0.1"),
        ({"readout_std": 0.0}, "readout_std: expected a positive number, got 0.0"),
        ({"output_init": "ones"}, "output_init: expected one of zeros, uniform, got 'ones'"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str, unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=message):
        AttentionNet(6, torch.randn(5, 3), 4, **options)  # type: ignore[arg-type]


class CountingNet(AttentionNet):
    """Counts how often the parameters are multiplied out."""

    collapses = 0

    def collapse(self):  # type: ignore[no-untyped-def]
        self.collapses += 1
        return super().collapse()


def test_inference_multiplies_out_once_until_parameters_change() -> None:
    network, regions = CountingNet(6, torch.randn(5, 3), 4).eval(), torch.randn(2, 9, 6)

    def predict() -> torch.Tensor:
        with torch.no_grad():
            prediction: torch.Tensor = network(regions)
            return prediction

    first = predict()
    predict()
    assert network.collapses == 1

    network(regions).sum().backward()  # with gradients nothing kept is used, or the parameters would get none
    assert network.readout.grad is not None
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    fresh = copy.deepcopy(network)
    torch.testing.assert_close(predict(), fresh(regions).detach())
    assert not torch.equal(predict(), first)

    network.load_state_dict(AttentionNet(6, torch.randn(5, 3), 4).state_dict())
    torch.testing.assert_close(predict(), copy.deepcopy(network)(regions).detach())

    network.double()
    with torch.no_grad():
        assert network(regions.double()).dtype == torch.float64


def test_a_write_past_autograd_shows_after_switching_modes() -> None:
    network, regions = AttentionNet(6, torch.randn(5, 3), 4).eval(), torch.randn(2, 9, 6)
    with torch.no_grad():
        before = network(regions)
        network.readout.data.zero_()  # such a write does not count as a new version of the parameter
        network.train().eval()
        assert not torch.equal(network(regions), before)


def test_what_is_kept_is_no_part_of_the_state() -> None:
    network = AttentionNet(6, torch.randn(5, 3), 4).eval()
    names = set(network.state_dict())
    with torch.inference_mode():
        network(torch.randn(2, 9, 6))
    assert set(network.state_dict()) == names
    network(torch.randn(2, 9, 6)).sum().backward()


def test_autocast_does_not_leak_into_full_precision() -> None:
    network, regions = AttentionNet(6, torch.randn(5, 3), 4).eval(), torch.randn(2, 9, 6)
    with torch.no_grad():
        exact = copy.deepcopy(network)
        with torch.autocast("cpu", torch.bfloat16):
            network(regions)
        torch.testing.assert_close(network(regions), exact.eval()(regions), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "sizes"), [("region_dim", (0, 4, 0)), ("attention_dim", (6, 0, 0)), ("hidden_dim", (6, 4, -1))]
)
def test_a_size_out_of_range_is_named(name: str, sizes: tuple[int, int, int]) -> None:
    region_dim, attention_dim, hidden_dim = sizes
    with pytest.raises(ArgumentError, match=f"{name}: expected at least"):
        AttentionNet(region_dim, torch.randn(5, 3), attention_dim, hidden_dim)

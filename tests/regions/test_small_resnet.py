import pytest
import torch
import transformers
from packaging.version import Version
from torch import nn
from transformers import AutoModel, ResNetConfig

from rezsl.errors import ArgumentError, DataError
from rezsl.regions import BACKBONES, ImageBackbone, backbone_builder, pretrained, small_resnet


@pytest.mark.parametrize(
    ("size", "side", "dim"), [(8, 4, 64), (12, 6, 64), (16, 4, 64), (32, 4, 128), (40, 5, 128), (64, 4, 256)]
)
def test_a_small_network_keeps_at_least_16_regions(size: int, side: int, dim: int) -> None:
    backbone = small_resnet(channels=3, natural_size=32, image_size=size).eval()
    regions = backbone(torch.rand(2, 3, size, size))
    assert regions.shape == (2, side * side, dim)
    assert backbone.region_dim == dim


@pytest.mark.skipif(
    Version(transformers.__version__) < Version("5.18"), reason="earlier versions draw weights in another order"
)
@pytest.mark.parametrize(("size", "options"), [(8, {}), (32, {"width": 4, "depth": 2}), (64, {"width": 2})])
def test_it_is_the_network_of_transformers_with_another_first_layer(size: int, options: dict[str, int]) -> None:
    """Equal random numbers give equal weights, regions and running statistics, to the last bit."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        backbone = small_resnet(3, size, **options)
        following = torch.rand(1)
        torch.manual_seed(5)
        config = dict(backbone.arguments["config"])
        assert config.pop("model_type") == "resnet"
        oracle = AutoModel.from_config(ResNetConfig(**config))
        stem = nn.Conv2d(3, config["embedding_size"], kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        assert torch.equal(following, torch.rand(1))
    oracle.embedder.embedder.convolution, oracle.embedder.pooler = stem, nn.Identity()
    oracle.to(memory_format=torch.channels_last)
    images = torch.rand(4, 3, backbone.image_size, backbone.image_size).contiguous(memory_format=torch.channels_last)
    for training in (True, False):
        network = backbone.network.train(training)
        assert torch.equal(network(images).last_hidden_state, oracle.train(training)(images).last_hidden_state)
    weights = backbone.network.state_dict()
    assert list(weights) == list(oracle.state_dict())
    assert all(torch.equal(weights[name], value) for name, value in oracle.state_dict().items())


def test_only_a_residual_network_of_basic_layers_has_a_small_stem() -> None:
    with pytest.raises(
        ArgumentError, match="small_stem: expected a resnet of basic layers, got resnet of bottleneck layers"
    ):
        ImageBackbone(ResNetConfig().to_dict(), 32, small_stem=True)


def test_regions_have_unit_length_on_average_whatever_the_weights() -> None:
    backbone = small_resnet(channels=1, natural_size=32, image_size=8).eval()
    for parameter in backbone.parameters():
        parameter.data *= 3
    length = backbone(torch.rand(2, 1, 8, 8)).square().sum(dim=2).mean(dim=1)
    torch.testing.assert_close(length, torch.ones(2), rtol=1e-4, atol=0)


def test_a_restored_backbone_gives_the_same_regions() -> None:
    backbone = small_resnet(channels=3, natural_size=32, image_size=8).eval()
    copy = type(backbone)(**backbone.arguments).eval()
    copy.load_state_dict(backbone.state_dict())
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(copy(images), backbone(images), rtol=0, atol=0)


def test_sizes_and_channels_that_do_not_fit() -> None:
    for name, value, least in (("image_size", 4, 8), ("width", 1, 2), ("depth", 0, 1)):
        with pytest.raises(ArgumentError, match=f"{name}: expected at least {least}, got {value}"):
            small_resnet(channels=3, natural_size=32, **{name: value})
    with pytest.raises(DataError, match="expected images with 3 channels, got 1"):
        small_resnet(channels=3, natural_size=32, image_size=8)(torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize(("natural", "seen"), [(8, 16), (40, 40), (200, 64)])
def test_images_are_seen_at_their_own_size_within_limits(natural: int, seen: int) -> None:
    assert small_resnet(channels=1, natural_size=natural).image_size == seen


def test_backbones_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"pretrained": pretrained, "small_resnet": small_resnet} == BACKBONES
    monkeypatch.setitem(BACKBONES, "pretrained", pretrained)

    @backbone_builder("pretrained")
    def wide(channels: int, natural_size: int, width: int = 64) -> ImageBackbone:
        return small_resnet(channels, natural_size, width=width)

    assert BACKBONES["pretrained"](1, 8).arguments["config"]["hidden_sizes"] == [128]

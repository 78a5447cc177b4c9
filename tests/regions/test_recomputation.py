"""Blocks whose activations are computed again: the same gradients and statistics, and less that is kept."""

from typing import Any

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    PretrainedConfig,
    ResNetConfig,
    SiglipVisionConfig,
    ViTConfig,
)

from rezsl.errors import ArgumentError
from rezsl.regions import ImageBackbone
from rezsl.regions._blocks import blocks, stages
from rezsl.training._step import forward_in_parts

PATCHES: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
}  # fmt: skip
MAP: dict[str, Any] = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 2, 1, 1]}
CONFIGS: dict[str, tuple[PretrainedConfig, int]] = {
    "resnet": (ResNetConfig(embedding_size=8, **MAP), 5),
    "convnext": (ConvNextConfig(drop_path_rate=0.3, **MAP), 5),
    "vit": (ViTConfig(intermediate_size=32, hidden_dropout_prob=0.2, **PATCHES), 3),
    "dinov2": (Dinov2Config(**PATCHES), 3),
    "clip": (CLIPVisionConfig(**PATCHES), 3),
    "siglip": (SiglipVisionConfig(**PATCHES), 3),
}


def backbone_of(name: str) -> ImageBackbone:
    torch.manual_seed(0)
    return ImageBackbone(CONFIGS[name][0].to_dict(), 32).double()


def gradients(backbone: ImageBackbone, micro: int = 0) -> tuple[dict[str, torch.Tensor], int]:
    """Gradients of all parameters after a step of training, and how many numbers of activations were kept for them."""
    torch.manual_seed(1)
    images, kept = torch.rand(6, 3, 32, 32, dtype=torch.float64), 0
    weights = {parameter.untyped_storage().data_ptr() for parameter in backbone.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel() if tensor.untyped_storage().data_ptr() not in weights else 0
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        (regions,) = forward_in_parts(lambda part: (backbone(part),), backbone, (images,), micro)
    regions.sin().sum().backward()
    found = {name: parameter.grad for name, parameter in backbone.named_parameters() if parameter.grad is not None}
    return found, kept


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_and_statistics_are_the_same_and_less_is_kept(name: str) -> None:
    usual, again = backbone_of(name), backbone_of(name)
    assert len(blocks(again.network)) == CONFIGS[name][1]
    again.recompute()
    (expected, all_kept), (found, kept) = gradients(usual), gradients(again)
    assert kept < 0.75 * all_kept  # the stem, which is no block, keeps much of the smallest images
    assert found.keys() == expected.keys()
    for parameter, gradient in expected.items():
        torch.testing.assert_close(found[parameter], gradient, rtol=1e-8, atol=1e-10, msg=parameter)
    # Running means and numbers of batches too: moved once, not twice.
    for buffer, value in usual.state_dict().items():
        torch.testing.assert_close(again.state_dict()[buffer], value, rtol=0, atol=0, msg=buffer)
    assert not any("forward" in vars(block) for block in blocks(again.network))


def test_blocks_and_stages_of_a_resnet_of_timm() -> None:
    network, depths = torch.nn.Module(), (3, 4, 23, 3)
    network.timm_model = torch.nn.Module()
    for number, depth in enumerate(depths, start=1):
        stage = torch.nn.Sequential(*(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1)) for _ in range(depth)))
        setattr(network.timm_model, f"layer{number}", stage)
    assert [len(list(stage.children())) for stage in stages(network)] == list(depths)
    assert blocks(network) == [block for stage in stages(network) for block in stage.children()]


@pytest.mark.parametrize("name", ["resnet", "clip"])
def test_together_with_parts_of_a_batch(name: str) -> None:
    usual, again = backbone_of(name), backbone_of(name)
    again.recompute()
    expected, found = gradients(usual, micro=2)[0], gradients(again, micro=2)[0]
    for parameter, gradient in expected.items():
        torch.testing.assert_close(found[parameter], gradient, rtol=1e-8, atol=1e-10, msg=parameter)
    for buffer, value in usual.state_dict().items():
        torch.testing.assert_close(again.state_dict()[buffer], value, rtol=0, atol=0, msg=buffer)


def test_nothing_is_computed_again_where_nothing_learns() -> None:
    backbone = backbone_of("resnet")
    backbone.recompute()
    backbone.freeze()
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    assert not backbone(images).requires_grad
    backbone.freeze(False)
    torch.testing.assert_close(backbone.eval()(images), backbone_of("resnet").eval()(images))


def test_an_architecture_without_known_blocks_is_refused() -> None:
    backbone = backbone_of("resnet")
    backbone.network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    with pytest.raises(ArgumentError, match="backbone: expected a network whose blocks are known, got Sequential"):
        backbone.recompute()
    backbone.recompute(False)

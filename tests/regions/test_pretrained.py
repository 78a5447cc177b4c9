import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    CLIPConfig,
    ConvNextConfig,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    ResNetConfig,
    SiglipConfig,
    ViTConfig,
)

from rezsl.errors import ArgumentError, MissingPackageError, ModelFileError
from rezsl.regions import ImageBackbone, pretrained
from rezsl.regions.pretrained import quiet

LAYERS: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
PATCHES: dict[str, Any] = {**LAYERS, "image_size": 32, "patch_size": 8}
TEXT: dict[str, Any] = {**LAYERS, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1}
MAP: dict[str, Any] = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
CONFIGS = {
    "resnet": ResNetConfig(embedding_size=8, **MAP),
    "convnext": ConvNextConfig(**MAP),
    "vit": ViTConfig(intermediate_size=32, **PATCHES),
    "dinov2": Dinov2Config(**PATCHES),
    "dinov2 with registers": Dinov2WithRegistersConfig(**PATCHES),
    "clip": CLIPConfig(text_config=TEXT, vision_config=PATCHES),
    "siglip": SiglipConfig(text_config=TEXT, vision_config=PATCHES),
}


@pytest.fixture
def saved(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    model = AutoModel.from_config(CONFIGS[request.param])
    with quiet():
        model.save_pretrained(tmp_path)
    return tmp_path, model.eval()


@pytest.mark.parametrize(
    ("saved", "size", "regions", "before", "side"),
    [
        ("resnet", 64, 4, 0, 2),
        ("convnext", 96, 9, 0, 3),
        ("vit", 32, 17, 1, 4),
        ("vit", 48, 37, 1, 6),
        ("dinov2", 48, 37, 1, 6),
        ("dinov2 with registers", 48, 37, 1, 6),
        ("clip", 48, 37, 1, 6),
        ("siglip", 48, 36, 0, 6),
    ],
    indirect=["saved"],
)
def test_regions_of_every_family(
    saved: tuple[Path, torch.nn.Module], size: int, regions: int, before: int, side: int
) -> None:
    backbone = pretrained(3, 500, str(saved[0]), image_size=size).eval()
    images = torch.randint(256, (2, 3, size, size), dtype=torch.uint8)
    out = backbone(images)
    assert out.shape == (2, regions, 16)
    assert backbone.region_dim == 16
    assert backbone.grid(regions) == (before, side)
    copy = ImageBackbone(**json.loads(json.dumps(backbone.arguments))).eval()
    copy.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(copy(images), out, rtol=0, atol=0)


@pytest.mark.parametrize("saved", ["resnet", "vit", "clip"], indirect=True)
def test_the_weights_are_those_of_the_source(saved: tuple[Path, torch.nn.Module]) -> None:
    path, model = saved
    backbone = pretrained(3, 500, str(path), image_size=32).eval()
    pixels = torch.rand(2, 3, 32, 32)
    colours = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
    tower = getattr(model, "vision_model", model)
    expected = tower((pixels - colours[0]) / colours[1]).last_hidden_state
    expected = expected if expected.ndim == 3 else expected.flatten(2).mT
    torch.testing.assert_close(backbone(pixels), expected, rtol=1e-5, atol=1e-5)
    untrained = pretrained(3, 500, str(path), image_size=32, random_weights=True).eval()
    assert not torch.allclose(untrained(pixels), expected, atol=1e-3)


@pytest.mark.parametrize("saved", ["vit"], indirect=True)
def test_preprocessing_of_the_weights_own_file(saved: tuple[Path, torch.nn.Module]) -> None:
    path, _ = saved
    (path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [1.0, 2.0, 4.0]})
    )
    backbone = pretrained(3, 500, str(path), framing="crop")
    assert (backbone.image_size, backbone.resize) == (32, 37)  # 8/7 of it, upwards
    assert pretrained(3, 500, str(path), framing="crop", resize=32).resize == 32
    with pytest.raises(ArgumentError, match="resize: expected none with whole images, got 37; set framing to crop"):
        pretrained(3, 500, str(path), resize=37)
    assert backbone.arguments["mean"] == pytest.approx([0.1, 0.2, 0.3])
    assert backbone.deviation.flatten().tolist() == [1.0, 2.0, 4.0]
    # DINOv2's files name the size of its last training in one, and the usual one in the other.
    (path / "preprocessor_config.json").write_text(json.dumps({"crop_size": {"height": 16, "width": 16}}))
    assert pretrained(3, 500, str(path)).image_size == 16


@pytest.mark.parametrize("saved", ["resnet"], indirect=True)
def test_what_cannot_be_loaded(saved: tuple[Path, torch.nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = saved
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ArgumentError, match=r"'nobody/nothing' is no directory, its config\.json is not in the local"):
        pretrained(3, 32, "nobody/nothing")
    weights = path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"expected the weights of a vision model, got .*; get the file again"):
        pretrained(3, 32, str(path))
    weights.unlink()
    (path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelFileError, match=r"expected model\.safetensors in .*only loaded with allow_pickle"):
        pretrained(3, 32, str(path))
    (path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ArgumentError, match="expected a vision model, got 'bert'"):
        pretrained(3, 32, str(path))
    (path / "config.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"expected a configuration of transformers, .*; check the source"):
        pretrained(3, 32, str(path))
    (path / "config.json").unlink()
    with pytest.raises(ArgumentError, match=re.escape("found no config.json")):
        pretrained(3, 32, str(path))


@pytest.mark.parametrize("saved", ["resnet"], indirect=True)
def test_weights_that_are_missing_are_not_made_up(saved: tuple[Path, torch.nn.Module]) -> None:
    path, _ = saved
    tensors = load_file(path / "model.safetensors")
    tensors.pop(next(name for name in tensors if "convolution" in name))
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match="lacks 1 weights of its own architecture"):
        pretrained(3, 32, str(path))


def test_networks_of_timm_need_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    monkeypatch.setitem(sys.modules, "timm", None)
    message = r"^source: resnet18, a network of timm: expected the package 'timm', .*; pip install 'rezsl\[timm\]'$"
    with pytest.raises(MissingPackageError, match=message):
        pretrained(3, 90, str(tmp_path))


@pytest.mark.parametrize(
    ("name", "regions", "dim"),
    [
        ("resnet18", 49, 512),
        ("vit_tiny_patch16_224", 197, 192),
        ("swin_tiny_patch4_window7_224", 49, 768),
        ("efficientnet_lite0", 49, 1280),
    ],
)
def test_regions_of_networks_of_timm(tmp_path: Path, name: str, regions: int, dim: int) -> None:
    try:
        import timm  # noqa: PLC0415 - an optional package
    except (ImportError, RuntimeError):  # the second where torchvision does not fit torch
        pytest.skip("timm is not at hand")
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    described = {"input_size": [3, 224, 224], "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]}
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": name, "num_classes": 1000, "pretrained_cfg": described})
    )
    save_file(model.state_dict(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    backbone = pretrained(3, 90, str(tmp_path), trainable_stages=1).eval()
    assert (backbone.image_size, backbone.region_dim) == (224, dim)
    pixels = torch.rand(2, 3, 224, 224)
    expected = model.forward_features((pixels - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.5)
    expected = {"swin": lambda: expected.flatten(1, 2), "vit_": lambda: expected}.get(
        name[:4], lambda: expected.flatten(2).mT
    )()
    assert expected.shape == (2, regions, dim)
    torch.testing.assert_close(backbone(pixels), expected, rtol=1e-4, atol=1e-4)
    copy = ImageBackbone(**json.loads(json.dumps(backbone.arguments))).eval()
    copy.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(copy(pixels), backbone(pixels), rtol=0, atol=0)

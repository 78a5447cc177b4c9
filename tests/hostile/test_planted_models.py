"""A model directory, a store or a folder of weights from a stranger is data: nothing in it runs or asks a network."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import (
    AutoModel,
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    Dinov2Config,
    ResNetConfig,
    ViTConfig,
)

from rezsl.classifier import ZeroShotClassifier, load_model, save_model
from rezsl.errors import ArgumentError, DataError, ModelFileError
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler, ImageBackbone, pretrained
from rezsl.regions._architectures import VISION_TYPES
from rezsl.regions.pretrained import quiet
from rezsl.semantics import ClassSemantics, encode_words

RESNET: dict[str, Any] = {
    "model_type": "resnet", "embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic",
}  # fmt: skip
NEEDS_OTHERS = [
    "maskformer",
    "mask2former",
    "oneformer",
    "upernet",
    "dpt",
    "detr",
    "conditional_detr",
    "tvp",
    "vitmatte",
]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to reach another computer fails the test, also one that the library would survive."""

    def refuse(*address: Any, **_: Any) -> None:
        pytest.fail(f"the network was asked for {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def planted(tmp_path: Path, semantics: ClassSemantics, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved model of photos, beside Python files that leave a marker when one of them runs."""
    backbone = ImageBackbone(RESNET, image_size=16)
    save_model(ZeroShotClassifier(backbone, LinearRegressor(8, semantics), semantics, ["a"]), tmp_path / "run")
    for name in ("modeling_evil", "configuration_evil", "evil", "__init__", "conftest", "sitecustomize"):
        (tmp_path / "run" / f"{name}.py").write_text(
            f"import pathlib\npathlib.Path({str(tmp_path / 'marker')!r}).touch()\n"
            "from transformers import ResNetModel as Evil, ResNetConfig as EvilConfig\n"
        )
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "run"


def change_config(run: Path, **changes: Any) -> None:
    description = json.loads((run / "model.json").read_text())
    description["backbone"]["arguments"]["config"] |= changes
    (run / "model.json").write_text(json.dumps(description))


def test_the_model_loads_as_it_was_saved(planted: Path) -> None:
    model = load_model(planted)
    assert isinstance(model.backbone, ImageBackbone)
    assert not (planted.parent / "marker").exists()


@pytest.mark.parametrize("kind", NEEDS_OTHERS)
def test_types_that_load_a_second_model_are_refused(planted: Path, kind: str) -> None:
    change_config(
        planted, model_type=kind, backbone=str(planted), use_pretrained_backbone=True, use_timm_backbone=False,
        backbone_config=None, backbone_kwargs={"trust_remote_code": True}, auto_map={"AutoConfig": "evil.EvilConfig"},
    )  # fmt: skip
    with pytest.raises(ModelFileError, match=rf"run: not a readable model .*expected a vision model .*got '{kind}'"):
        load_model(planted)
    assert not (planted.parent / "marker").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_map": {"AutoModel": "modeling_evil.Evil", "AutoConfig": "configuration_evil.EvilConfig"}},
        {"trust_remote_code": True},
        {"backbone": "somebody/evil"},
        {"backbone_kwargs": {"trust_remote_code": True}},
        {"backbone_config": {"model_type": "timm_backbone", "backbone": "hf-hub:somebody/evil"}},
        {"_attn_implementation": "somebody/evil-kernel"},
        {"quantization_config": {"quant_method": "gptq"}},
    ],
)
def test_keys_that_ask_for_code_or_another_model_are_refused(planted: Path, changes: dict[str, Any]) -> None:
    change_config(planted, **changes)
    with pytest.raises(ModelFileError, match=f"got the key '{next(iter(changes))}', which asks for another model or"):
        load_model(planted)
    assert not (planted.parent / "marker").exists()


def test_addresses_and_unknown_keys_have_no_effect(planted: Path) -> None:
    change_config(planted, _name_or_path="somebody/evil", id2label={"0": "a"}, torchscript=True, new={"a": [{}]})
    assert load_model(planted).network is not None
    assert not (planted.parent / "marker").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "../evil"}, "in 'hidden_act', got '../evil'"),
        ({"hidden_act": {"model_type": "maskformer"}}, "in 'hidden_act', got \"{'model_type'"),
        ({"hidden_sizes": [[[[4]]]]}, "in 'hidden_sizes', got"),
        ({"hidden_sizes": [4, 2**40]}, "in 'hidden_sizes', got '1099511627776'"),
        ({"hidden_sizes": [4] * 5000}, "in 'hidden_sizes', got"),
        ({"depths": [1, 10**9]}, "expected at most 2000 layers in depths, got 1000000001"),
        ({"hidden_sizes": [4, 2**20], "layer_type": "bottleneck"}, "expected a network of at most 8,000,000,000 weights"),
        ({"embedding_size": float("nan")}, "in 'embedding_size', got 'nan'"),
        ({"model_type": ["resnet"]}, "expected a vision model of a known type"),
        ({"model_type": "timm_wrapper", "architecture": "hf-hub:somebody/evil"}, "in 'architecture', got 'hf-hub:"),
        ({"model_type": "timm_wrapper", "architecture": "resnet18", "model_args": {"checkpoint_path": "evil.pth"}}, "'model_args.checkpoint_path'"),
        ({"model_type": "timm_wrapper", "architecture": "resnet18", "model_args": {"pretrained_cfg": {}}}, "'model_args.pretrained_cfg'"),
    ],
)  # fmt: skip
def test_values_that_are_no_sizes_are_refused(planted: Path, changes: dict[str, Any], message: str) -> None:
    change_config(planted, **changes)
    with pytest.raises(ModelFileError) as refused:
        load_model(planted)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("network", "options"), [("MLPRegressor", {"hidden_dim": 10**8}), ("AttentionNet", {"attention_dim": 10**9})]
)
def test_a_network_that_is_larger_than_its_file_takes_no_memory(
    tmp_path: Path, semantics: ClassSemantics, network: str, options: dict[str, Any]
) -> None:
    words = ClassSemantics(semantics.classes, semantics.attributes, semantics.values, torch.rand(4, 3))
    save_model(ZeroShotClassifier(FeatureScaler(8), LinearRegressor(8, words), words, ["a"]), tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    description["network"] = {"class": network, "options": options}
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(
        ModelFileError,
        match=r"safetensors: expected networks of at most \d+ numbers, as the tensors have, got .*; copy",
    ):
        load_model(tmp_path)


@pytest.mark.parametrize("file", ["tensors", "class", "arguments"])
def test_other_parts_of_the_description_choose_no_code(planted: Path, file: str) -> None:
    description = json.loads((planted / "model.json").read_text())
    if file == "class":
        description["backbone"]["class"] = "evil.Evil"
    elif file == "arguments":
        description["backbone"]["arguments"] = {"config": str(planted / "evil.py"), "image_size": 16}
    else:
        (planted / "model.safetensors").write_bytes(b"cos\nsystem\n(S'touch marker'\ntR.")
    (planted / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelFileError):
        load_model(planted)
    assert not (planted.parent / "marker").exists()
    assert not (planted / "marker").exists()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of trained weights, beside Python files that leave a marker when one of them runs."""
    folder = tmp_path / "net"
    with quiet():
        AutoModel.from_config(ResNetConfig(**{**RESNET, "layer_type": "bottleneck"})).save_pretrained(folder)
    for name in ("modeling_evil", "configuration_evil"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')\n")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    return folder


@pytest.mark.parametrize("kind", ["evil", "maskformer", "timm_backbone", None])
def test_a_folder_of_weights_with_code_of_its_own_is_refused(weights: Path, kind: str | None) -> None:
    content = json.loads((weights / "config.json").read_text())
    content |= {"model_type": kind, "backbone": str(weights), "backbone_kwargs": {"trust_remote_code": True}}
    content |= {"auto_map": {"AutoModel": "modeling_evil.Evil", "AutoConfig": "configuration_evil.EvilConfig"}}
    (weights / "config.json").write_text(json.dumps(content))
    with pytest.raises(
        ArgumentError, match=f"source: expected a vision model, got '{kind}' in .*; choose another source"
    ):
        pretrained(3, 90, str(weights))
    assert not (weights.parent / "marker").exists()


def test_a_known_network_with_code_beside_it_is_built_from_transformers_own_class(weights: Path) -> None:
    content = json.loads((weights / "config.json").read_text())
    content |= {"auto_map": {"AutoModel": "modeling_evil.Evil", "AutoConfig": "configuration_evil.EvilConfig"}}
    (weights / "config.json").write_text(json.dumps(content))
    backbone = pretrained(3, 90, str(weights), image_size=32)
    assert type(backbone.network).__module__.startswith("transformers.models.resnet")
    assert "auto_map" not in backbone.arguments["config"]
    assert not (weights.parent / "marker").exists()


@pytest.mark.parametrize("part", ["../other/model.safetensors", "/etc/passwd", "pytorch_model.bin", 3])
def test_a_list_of_weights_names_files_beside_it(weights: Path, part: Any) -> None:
    (weights / "model.safetensors").rename(weights / "whole.safetensors")
    (weights / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"a": part}}))
    with pytest.raises(
        ModelFileError, match=r"index\.json: expected names of files in the same folder .*, got '.*'; get the"
    ):
        pretrained(3, 90, str(weights))


def test_an_adapter_beside_the_weights_is_refused(weights: Path) -> None:
    (weights / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/evil"}')
    with pytest.raises(
        ModelFileError, match=r"adapter_config\.json: expected the weights of one whole network, got an ad"
    ):
        pretrained(3, 90, str(weights))


def in_parts(folder: Path) -> Path:
    """Save the network of a folder in several files; return the list of them."""
    named = json.loads((folder / "config.json").read_text())["architectures"][0]
    with quiet():
        getattr(transformers, named).from_pretrained(folder).save_pretrained(folder, max_shard_size="1KB")
    assert len([*folder.glob("model-*.safetensors")]) > 1
    (folder / "model.safetensors").unlink(missing_ok=True)
    return folder / "model.safetensors.index.json"


@pytest.mark.parametrize("several", [False, True])
def test_a_network_that_is_larger_than_its_weights_takes_no_memory(weights: Path, several: bool) -> None:
    name = in_parts(weights).name if several else "model.safetensors"
    assert pretrained(3, 90, str(weights), image_size=32).region_dim == 8
    content = json.loads((weights / "config.json").read_text())
    (weights / "config.json").write_text(json.dumps(content | {"hidden_sizes": [4, 8_000]}))
    with pytest.raises(ModelFileError, match=f"{name}: expected networks of at most .*, got a description of"):
        pretrained(3, 90, str(weights), image_size=32)


def test_a_part_of_the_weights_that_is_not_there_is_named(weights: Path) -> None:
    listed = in_parts(weights)
    next(weights.glob("model-00002-*.safetensors")).unlink()
    with pytest.raises(
        ModelFileError, match=rf"{listed.name}: expected \d files of weights beside it, got none .*'model-00002-of-"
    ):
        pretrained(3, 90, str(weights))


@pytest.fixture(params=["bert", "clip", "clip_text_model"])
def encoder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of a text encoder with its tokenizer."""
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 6}
    if request.param == "bert":
        network: Any = BertModel(BertConfig(**sizes, intermediate_size=8, max_position_embeddings=8))
    else:
        text: dict[str, Any] = {**sizes, "intermediate_size": 8, "max_position_embeddings": 8, "eos_token_id": 3}
        vision = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8, "patch_size": 4}
        whole = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
        network = CLIPModel(whole) if request.param == "clip" else CLIPTextModel(CLIPTextConfig(**text))
    network.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfur")
    BertTokenizer(str(tmp_path / "vocab.txt"), model_max_length=8).save_pretrained(tmp_path)
    return tmp_path


def change_text_part(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / "config.json").read_text())
    content.get("text_config", content).update(changes)
    (folder / "config.json").write_text(json.dumps(content))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intermediate_size": 100_000}, "expected networks of at most [0-9,]+ numbers, .*, got a description of"),
        ({"num_hidden_layers": 10**9}, "expected at most 2000 layers in .*num_hidden_layers, got 1000000000; correct"),
    ],
)
def test_a_text_encoder_that_is_larger_than_its_weights_takes_no_memory(
    encoder: Path, changes: dict[str, Any], message: str, several: bool
) -> None:
    before = encode_words(encoder, ["fur"])
    if several:
        in_parts(encoder)
        torch.testing.assert_close(encode_words(encoder, ["fur"]), before)
    change_text_part(encoder, **changes)
    with pytest.raises(DataError, match=message):
        encode_words(encoder, ["fur"])


def test_the_weights_of_a_text_encoder_are_those_of_its_own_folder(encoder: Path) -> None:
    (encoder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/evil"}')
    with pytest.raises(DataError, match=r"adapter_config\.json: expected the weights of one whole network, got an ada"):
        encode_words(encoder, ["fur"])
    (encoder / "adapter_config.json").unlink()
    (encoder / "model.safetensors").rename(encoder / "whole.safetensors")
    (encoder / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": {"a": "../b.safetensors"}}')
    with pytest.raises(DataError, match=r"index\.json: expected names of files in the same folder .*, got '\.\./b"):
        encode_words(encoder, ["fur"])


def test_every_listed_type_is_one_of_transformers() -> None:
    from transformers import CONFIG_MAPPING  # noqa: PLC0415

    assert {kind for kind in VISION_TYPES if kind not in CONFIG_MAPPING} == set()


@pytest.mark.parametrize("config", [Dinov2Config(hidden_size=8, num_hidden_layers=1, num_attention_heads=1), ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1)])  # fmt: skip
def test_records_of_earlier_runs_are_built_as_before(config: Any) -> None:
    torch.manual_seed(3)
    expected = AutoModel.from_config(config).state_dict()
    torch.manual_seed(3)
    record = {**config.to_diff_dict(), "model_type": config.model_type, "id2label": {"0": "cat"}, "dtype": "float32"}
    found = ImageBackbone(json.loads(json.dumps(record)), image_size=28).network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", ["maskformer", "evil", "bert"])
def test_a_folder_of_a_text_encoder_runs_no_code(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    content = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1).to_dict()
    content |= {"model_type": kind, "auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.EvilConfig"}}
    content |= {"backbone": str(tmp_path), "backbone_kwargs": {"trust_remote_code": True}}
    (tmp_path / "config.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.Evil", null]}}')
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')\n")
    with pytest.raises(DataError, match="source: expected a text encoder with its tokenizer and weights"):
        encode_words(tmp_path, ["fur"])
    assert not (tmp_path / "marker").exists()

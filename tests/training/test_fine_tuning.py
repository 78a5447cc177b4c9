from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import ResNetConfig, ViTConfig

import rezsl
from rezsl.data import Benchmark, ImageFormat, Split, load_digits
from rezsl.errors import ArgumentError
from rezsl.regions import ImageBackbone, pretrained
from rezsl.report import results_table
from rezsl.semantics import ClassSemantics
from rezsl.training import Augmentation, Batches, FitResult, Optimization, Training
from rezsl.training._assembly import BackboneBuilder, BatchesOf, in_memory


@pytest.fixture
def few_digits() -> Benchmark:
    """Every twelfth digit image."""
    digits = load_digits()
    parts = {name: index[::12] for name, index in digits.split.parts().items()}
    trainval = torch.cat([parts["train"], parts["val"]]).sort().values
    return replace(digits, split=replace(digits.split, **parts | {"trainval": trainval}))


@pytest.fixture
def resnet(tmp_path: Path) -> Callable[..., ImageBackbone]:
    """A residual network with batch normalisation, of random weights, seen at 32 pixels."""
    ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic").save_pretrained(tmp_path)
    options: dict[str, Any] = {"image_size": 32, "random_weights": True, "trainable_stages": None, "framing": "crop"}
    return partial(pretrained, source=str(tmp_path), **options)


def quick(data: Benchmark, backbone: BackboneBuilder, **options: object) -> FitResult:
    """A short training on a CPU; options that are fields of Training go into it, the others to fit."""
    batches = Batches(ways=4, shots=2, per_epoch=2)
    settings: dict[str, Any] = {"max_epochs": 2, "batches": batches, "accelerator": "cpu", "augmentation": None}
    settings |= options
    training = Training(
        **{field.name: settings.pop(field.name) for field in fields(Training) if field.name in settings}
    )
    return rezsl.fit(data, backbone=backbone, training=training, **{"progress": False} | settings)


def of_backbone(result: FitResult) -> Mapping[str, torch.Tensor]:
    assert isinstance(result.model.backbone, ImageBackbone)
    return result.model.backbone.network.state_dict()


def test_only_the_last_stages_learn(few_digits: Benchmark, resnet: Callable[..., ImageBackbone]) -> None:
    result = quick(few_digits, partial(resnet, trainable_stages=1), optimization=Optimization(schedule="constant"))
    torch.manual_seed(0)
    fresh = resnet(3, 8).network.state_dict()
    moved = {name for name, value in of_backbone(result).items() if not torch.equal(value, fresh[name])}
    assert {name for name in moved if "stages.1" in name} == moved
    assert any("running_mean" in name for name in moved)
    learning = {name for name, weight in result.model.backbone.named_parameters() if weight.requires_grad}
    assert learning == {name for name, _ in result.model.backbone.named_parameters() if "stages.1" in name}
    with pytest.raises(ArgumentError, match="trainable_stages: expected at most 2, which this network has"):
        partial(resnet, trainable_stages=3)(3, 8)


def test_a_backbone_that_thaws_learns_only_then(few_digits: Benchmark, resnet: BackboneBuilder) -> None:
    for epochs, learns in ((1, False), (2, True)):
        thawed = quick(
            few_digits, resnet, max_epochs=epochs, optimization=Optimization(frozen_epochs=1, schedule="constant")
        )
        if thawed.choice.epochs != epochs:
            pytest.fail(f"expected a refit of {epochs} epochs, got {thawed.choice.epochs}")
        torch.manual_seed(0)
        fresh = resnet(3, 8).network.state_dict()
        moved = [name for name, value in of_backbone(thawed).items() if not torch.equal(value, fresh[name])]
        assert bool(moved) == learns
        assert any("running_mean" in name for name in moved) == learns


def test_the_backbone_learns_at_its_own_rate(resnet: BackboneBuilder) -> None:
    backbone = resnet(3, 8)
    network = torch.nn.Linear(3, 2)
    both = torch.nn.ModuleList([backbone, network])
    optimizer = Optimization(learning_rate=0.1, backbone_factor=0.01).build(both, backbone=backbone.parameters())
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    assert {rates[id(parameter)] for parameter in backbone.parameters()} == {0.1 * 0.01}
    assert {rates[id(parameter)] for parameter in network.parameters()} == {0.1}
    backbone.requires_grad_(False)
    frozen = Optimization().build(both, backbone=backbone.parameters())
    assert sum(len(group["params"]) for group in frozen.param_groups) == 2
    with pytest.raises(ArgumentError, match="frozen_epochs: expected at least 0, got -1"):
        Optimization(frozen_epochs=-1)
    with pytest.raises(ArgumentError, match=r"backbone_factor: expected a positive number, got 0.0"):
        Optimization(backbone_factor=0.0)


def test_parts_of_a_batch_give_the_weights_of_the_whole(few_digits: Benchmark, tmp_path: Path) -> None:
    ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8
    ).save_pretrained(tmp_path)
    vit = partial(pretrained, source=str(tmp_path), random_weights=True, trainable_stages=None)
    results = [
        # Not AdamW: it makes steps of one size out of gradients that are zero but for rounding.
        quick(
            few_digits,
            vit,
            batches=Batches(ways=4, shots=2, per_epoch=2, micro=micro),
            optimization=Optimization(optimizer="sgd", learning_rate=0.01),
        ).model.state_dict()
        for micro in (0, 3)
    ]
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_blocks_computed_again_give_the_same_weights(few_digits: Benchmark, resnet: BackboneBuilder) -> None:
    # Its parts alone would not: batch normalisation would see them one by one.
    usual, again = (
        quick(
            few_digits,
            resnet,
            batches=Batches(ways=4, shots=2, per_epoch=2, recompute=recompute),
            optimization=Optimization(optimizer="sgd", learning_rate=0.01),
        )
        for recompute in (False, True)
    )
    for name, value in of_backbone(usual).items():
        torch.testing.assert_close(of_backbone(again)[name], value, rtol=1e-4, atol=1e-5, msg=name)
    features = replace(few_digits, inputs=torch.rand(len(few_digits.labels), 5))
    with pytest.raises(ArgumentError, match=r"batches.recompute: expected false without a backbone of images"):
        rezsl.fit(features, training=rezsl.Training(batches=Batches(recompute=True), max_epochs=1), progress=False)


def without_changes(**changes: Any) -> Augmentation:
    """Augmentation with nothing but the given changes."""
    return Augmentation(**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0) | {"crop": None} | changes)


@pytest.mark.usefixtures("unchecked")
def test_training_cuts_squares_at_random_and_tests_take_the_middle(
    few_digits: Benchmark, resnet: Callable[..., ImageBackbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[object, int | None]] = []

    class Recording(BatchesOf):
        def __init__(self, benchmark: Benchmark, input_format: ImageFormat, crop_seed: int | None = None) -> None:
            read.append((input_format, crop_seed))
            super().__init__(benchmark, input_format, crop_seed)

    cropped = without_changes(horizontal_flip=0.5, crop=0.875)
    once, again = (quick(few_digits, resnet, augmentation=cropped, workers=workers) for workers in (0, 1))
    for name, value in of_backbone(once).items():
        torch.testing.assert_close(of_backbone(again)[name], value, rtol=0, atol=0, msg=name)
    assert once.test is not None
    assert rezsl.evaluate(once.model, few_digits).metrics() == once.test.metrics()

    monkeypatch.setattr("rezsl.training.loop.BatchesOf", Recording)
    part, largest, flipped = ImageFormat(32, 3, 37), ImageFormat(32, 3, 32), without_changes(horizontal_flip=0.5)
    for resize, augmentation, of_training, of_tests in (
        (None, flipped, (part, 3), part),
        (None, None, (part, None), part),
        (32, flipped, (largest, None), largest),
        (32, cropped, (part, 3), largest),
    ):
        read.clear()
        quick(few_digits, partial(resnet, resize=resize), augmentation=augmentation, seed=3, max_epochs=1)
        assert read == [of_training, (of_tests, None)] * 2  # of both stages
    with pytest.raises(
        ArgumentError, match=r"augmentation.crop: expected null with a backbone that receives whole ima"
    ):
        quick(few_digits, partial(resnet, framing="whole"), augmentation=cropped)
    with pytest.raises(
        ArgumentError, match=r"augmentation.crop: expected a number above 0 and at most 1, or null, got 0"
    ):
        Augmentation(crop=0.0)


def test_photos_stay_decoded_only_where_every_epoch_has_the_same_pixels(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (20, 16), (80 * number, 0, 0)).save(tmp_path / f"{number}.png")
    semantics = ClassSemantics(("a", "b"), ("x", "y"), torch.eye(2))
    files = sorted(tmp_path.glob("*.png"))
    data = Benchmark("photos", files, torch.zeros(3, dtype=torch.int64), semantics, Split(torch.arange(3)))
    cropped = Training(augmentation=without_changes(crop=0.875))
    decoded = in_memory(data, ImageFormat(8, 3), Training()).inputs
    assert isinstance(decoded, torch.Tensor)
    assert decoded[:, 0, 0, 0].tolist() == [0, 80, 160]
    assert in_memory(data, ImageFormat(8, 3), cropped) is data
    assert in_memory(data, ImageFormat(8, 3, resize=10), Training()) is data


def test_the_oracle_protocol_chooses_on_test_classes_and_says_so(
    few_digits: Benchmark, resnet: BackboneBuilder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    result = quick(few_digits, resnet, protocol="oracle", run_dir=run, progress=True)
    assert "test (oracle protocol) H" in " ".join(capsys.readouterr().err.split())
    assert result.test is not None
    assert result.test.point == result.test.oracle
    assert result.choice.harmonic_mean == pytest.approx(result.test.point.harmonic_mean)
    assert result.test.protocol == "oracle"
    assert (run / "metrics.json").read_text().count('"protocol": "oracle"') == 2  # of the choice, and of the test
    assert all(line.split(",")[1] == "oracle" for line in (run / "history.csv").read_text().splitlines()[1:])
    loaded = rezsl.evaluate(rezsl.load_model(run), few_digits)
    assert loaded.protocol == "oracle"
    table = results_table({"CUB": loaded}, "published")
    assert list(table.columns[0].cells) == ["CUB (oracle protocol)"]
    assert "chosen on the test classes" in str(table.caption)
    assert "validation" not in str(table.caption)
    without = replace(few_digits, split=replace(few_digits.split, test_seen=torch.empty(0, dtype=torch.int64)))
    with pytest.raises(
        ArgumentError,
        match="protocol: expected 'honest' where there are no test images of seen or of unseen classes, got 'oracle'",
    ):
        quick(without, resnet, protocol="oracle")


def test_word_vectors_become_the_queries(few_digits: Benchmark, resnet: BackboneBuilder, tmp_path: Path) -> None:
    lines = [",".join([name.replace(",", ";"), *map(str, range(3))]) for name in few_digits.semantics.attributes]
    (tmp_path / "words.csv").write_text("\n".join(lines))
    result = quick(few_digits, resnet, word_vectors=tmp_path / "words.csv")
    vectors = result.model.semantics.word_vectors
    assert vectors is not None
    assert vectors.shape == (51, 3)
    with pytest.raises(ArgumentError, match="word_vectors, text_encoder: expected one of the two, got both"):
        quick(few_digits, resnet, word_vectors=tmp_path / "words.csv", text_encoder="x")

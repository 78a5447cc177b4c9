"""Trainings on photos whose backbone is frozen: regions are extracted once, and the model takes photos."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetModel

import rezsl
from rezsl.classifier import on_cached_regions
from rezsl.cli import main
from rezsl.data import Benchmark, load_image_folder
from rezsl.errors import ArgumentError
from rezsl.models import AttentionNet, MLPRegressor
from rezsl.regions import (
    FeatureScaler,
    ImageBackbone,
    ScaledImageBackbone,
    cache_beside,
    cached_regions,
    pretrained,
)
from rezsl.regions.pretrained import quiet
from rezsl.training import Batches, FitResult, Training
from rezsl.training.protocol import Setup, refit, select

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "cyan": (0, 1, 1)}
RESNET = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
DINOV2 = Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
SHORT = Training(max_epochs=2, batches=Batches(ways=3, shots=2, per_epoch=3), accelerator="cpu", folds=1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of five classes with six photos each, of 90 × 70 pixels."""
    root = tmp_path / "signs"
    noise = torch.randint(60, (30, 3, 70, 90), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for position, (name, light) in enumerate(COLOURS.items()):
        (root / "images" / name).mkdir(parents=True)
        for number in range(6):
            pixels = noise[6 * position + number] + 190 * torch.tensor(light, dtype=torch.uint8).view(3, 1, 1)
            photo = Image.fromarray(pixels.permute(1, 2, 0).numpy())
            photo.save(root / "images" / name / f"{number}.png", compress_level=0)
    rows = [f"{name},{','.join(map(str, light))}" for name, light in COLOURS.items()]
    (root / "semantics.csv").write_text("\n".join(["class,r,g,b", *rows, "white,1,1,1"]))
    lines = ["file,class,split"]
    for name in COLOURS:
        part = {"cyan": "test_unseen", "yellow": "val"}.get(name, "train")
        lines += [
            f"images/{name}/{n}.png,{name},{'test_seen' if part == 'train' and n > 3 else part}" for n in range(6)
        ]
    (root / "splits.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(params=["resnet", "dinov2"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return saved(request.param, tmp_path)


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    return saved("resnet", tmp_path)


def saved(family: str, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    with quiet():
        (ResNetModel(RESNET) if family == "resnet" else Dinov2Model(DINOV2)).save_pretrained(tmp_path / family)
    return tmp_path / family


def train(photos: Path, source: Path, run: Path | None = None, **options: Any) -> FitResult:
    backbone = partial(pretrained, source=str(source), image_size=28, **options.pop("of_backbone", {}))
    return rezsl.fit(
        load_image_folder(photos), backbone=backbone, training=SHORT, run_dir=run, **{"progress": False} | options
    )


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no network compute regions any more."""

    def refuse(self: ImageBackbone, inputs: torch.Tensor) -> torch.Tensor:
        raise AssertionError("regions were computed again")

    monkeypatch.setattr(ImageBackbone, "cells", refuse)


@pytest.mark.usefixtures("unchecked")
def test_the_model_takes_photos_and_the_second_fit_extracts_nothing(
    photos: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.random.get_rng_state()
    first = train(photos, network, tmp_path / "runs" / "one", progress=True)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert isinstance(first.model.backbone, ScaledImageBackbone)
    assert isinstance(first.model.network, MLPRegressor)
    assert first.model.backbone.deviation.shape == (3, 1, 1)
    assert first.model.backbone.scaler.deviation.shape == (first.model.backbone.region_dim,)
    (store,) = (tmp_path / "runs" / "regions").iterdir()
    assert re.fullmatch("[0-9a-f]{16}", store.name)
    assert f"regions of 30 images by {network}: extracted once, into {store}" in capsys.readouterr().err
    # What was measured on the store is what the model gives on photos, also after it was saved.
    data = load_image_folder(photos)
    loaded = rezsl.load_model(tmp_path / "runs" / "one")
    for model in (first.model, loaded):
        assert first.test is not None
        assert rezsl.evaluate(model, data).metrics() == pytest.approx(first.test.metrics(), nan_ok=True)
    forbid(monkeypatch)
    second = train(photos, network, tmp_path / "runs" / "two", progress=True)
    assert f"regions of 30 images: found in {store}" in capsys.readouterr().err
    for name, value in first.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize(("pooling", "dim"), [("mean", 12), ("mean_max", 24)])
def test_one_region_sums_up_a_map(resnet: Path, pooling: Any, dim: int) -> None:
    plain, pooled = (pretrained(3, 90, str(resnet), image_size=64, pooling=kind).eval() for kind in ("none", pooling))
    images = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    cells, found = plain(images), pooled(images)
    assert cells.shape == (2, 64, 12)
    assert (pooled.region_dim, found.shape) == (dim, (2, 1, dim))
    for image in range(2):
        mean = [sum(cells[image, :, channel].tolist()) / 64 for channel in range(12)]
        most = [max(cells[image, :, channel].tolist()) for channel in range(12)]
        assert found[image, 0].tolist() == pytest.approx((mean + most)[:dim], abs=1e-5)


def test_the_class_token_takes_the_place_of_the_maximum(tmp_path: Path) -> None:
    source = str(saved("dinov2", tmp_path))
    plain, pooled = (pretrained(3, 90, source, image_size=56, pooling=kind).eval() for kind in ("none", "mean_max"))
    images = torch.randint(256, (2, 3, 56, 56), dtype=torch.uint8)
    tokens = plain(images)
    assert tokens.shape == (2, 17, 16)
    expected = torch.cat([sum(tokens[:, 1:].unbind(1)) / 16, tokens[:, 0]], dim=1)
    torch.testing.assert_close(pooled(images)[:, 0], expected)


def attentive(region_dim: int, semantics: rezsl.ClassSemantics) -> AttentionNet:
    return AttentionNet(region_dim, semantics)


def test_attention_receives_all_regions_and_pooling_can_be_chosen(photos: Path, resnet: Path, tmp_path: Path) -> None:
    asked: dict[str, dict[str, Any]] = {
        "attention": {"model": partial(AttentionNet, attention_dim=4)},
        "built": {"model": attentive},
        "mean": {"of_backbone": {"pooling": "mean"}},
        "none": {"of_backbone": {"pooling": "none"}, "model": MLPRegressor},
    }
    found = {name: train(photos, resnet, cache=tmp_path / name, **options).model for name, options in asked.items()}
    regions = {name: list((tmp_path / name).glob("*/manifest.json")) for name in found}
    shapes = {name: json.loads(paths[0].read_text()) for name, paths in regions.items()}
    sizes = {name: (shape["regions"], shape["region_dim"]) for name, shape in shapes.items()}
    assert sizes == {"attention": (16, 12), "built": (16, 12), "mean": (1, 12), "none": (16, 12)}
    deviations = {name: model.backbone.scaler.deviation.ndim for name, model in found.items()}  # type: ignore[union-attr]
    assert deviations == {"attention": 0, "built": 0, "mean": 1, "none": 0}


def stores(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()}


def test_a_store_is_found_by_content_and_not_by_names(photos: Path, resnet: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    train(photos, resnet, cache=cache)
    before = stores(cache)
    assert len(before) == 1
    table = photos / "semantics.csv"
    table.write_text(table.read_text().replace("white,1,1,1", "white,1,1,0.9"))
    (photos / "images" / "red" / "0.png").rename(photos / "images" / "red" / "00.png")
    splits = (photos / "splits.csv").read_text().replace("images/red/0.png", "images/red/00.png")
    (photos / "splits.csv").write_text(splits)
    (tmp_path / "moved").mkdir()
    photos = photos.rename(tmp_path / "moved" / "signs")
    train(photos, resnet.rename(tmp_path / "moved" / "resnet"), cache=cache)
    assert stores(cache) == before
    photo = photos / "images" / "red" / "00.png"
    size = photo.stat().st_size
    with Image.open(photo) as image:
        image.putpixel((3, 3), (1, 2, 3))
        image.save(photo, compress_level=0)
    assert photo.stat().st_size == size  # name and size are as before
    train(photos, tmp_path / "moved" / "resnet", cache=cache)
    assert len(stores(cache)) == 2
    train(photos, tmp_path / "moved" / "resnet", cache=cache, of_backbone={"framing": "crop"})
    train(photos, tmp_path / "moved" / "resnet", cache=cache, of_backbone={"random_weights": True})
    assert len(stores(cache)) == 4


def spied(monkeypatch: pytest.MonkeyPatch, spy: Callable[[int], None]) -> list[int]:
    """Call a function before each batch of images, and return the list to which their numbers are added."""
    sizes: list[int] = []
    cells = ImageBackbone.cells

    def watched(self: ImageBackbone, inputs: torch.Tensor) -> torch.Tensor:
        sizes.append(len(inputs))
        spy(sum(sizes))
        return cells(self, inputs)

    monkeypatch.setattr(ImageBackbone, "cells", watched)
    return sizes


def test_an_interrupted_extraction_goes_on(
    photos: Path, resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rezsl.regions._cache.CHUNK", 10)

    def interrupt(total: int) -> None:
        if total > 1 + 2 * 10:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        spied(patch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(photos, resnet, cache=tmp_path / "cache")
    with monkeypatch.context() as patch:
        sizes = spied(patch, lambda total: None)
        train(photos, resnet, cache=tmp_path / "cache")
        # An empty image finds the shape, and one chunk of three was missing.
        assert sum(sizes) == 1 + 10
        assert len(stores(tmp_path / "cache")) == 1


def test_two_processes_share_the_work(
    photos: Path, resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rezsl.regions._cache.CHUNK", 10)
    data, backbone = load_image_folder(photos), pretrained(3, 90, str(resnet), image_size=28, pooling="mean_max")
    alone = cached_regions(data, backbone, tmp_path / "alone", progress=False).inputs
    others: list[Any] = []

    def other(total: int) -> None:
        # In the midst of a chunk, another process begins and ends.
        if total == 1 + 10 and not others:
            others.append(None)  # it takes part itself, and must not begin a third one
            others[0] = cached_regions(data, backbone, tmp_path / "cache", progress=False).inputs

    sizes = spied(monkeypatch, other)
    together = cached_regions(data, backbone, tmp_path / "cache", progress=False).inputs
    assert sum(sizes) == 1 + 10 + 1 + 30  # the chunk that both computed, and nothing else, twice
    assert isinstance(alone, torch.Tensor)
    for found in (together, *others):
        torch.testing.assert_close(found, alone, rtol=0, atol=0)


def test_stages_alone_give_models_of_photos(photos: Path, resnet: Path, tmp_path: Path) -> None:
    data = load_image_folder(photos)
    backbone = partial(pretrained, source=str(resnet), image_size=28)
    setup = Setup(data, backbone=backbone, training=SHORT, progress=False, cache=tmp_path / "cache")
    selected, choice = select(setup)
    model = refit(setup, choice)
    whole = train(photos, resnet, cache=tmp_path / "cache").model
    for classifier in (selected, model):
        assert classifier.classify(data.inputs[:2], top=2)[0][0].name in data.semantics.classes
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_the_default_depends_on_the_size_of_photos(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(photos / "none"))
    ways = (
        r"source: 'facebook/dinov2-small' is no directory, its config\.json is not in the local cache, and the hub "
        r"cannot be reached; .*--backbone pretrained --backbone\.source DIR.*'hf download facebook/dinov2-small'.*"
        r"--backbone small_resnet"
    )
    data = load_image_folder(photos)
    with pytest.raises(ArgumentError, match=ways):
        rezsl.fit(data, training=SHORT, progress=False)
    assert isinstance(data.inputs, list)
    for photo in data.inputs:
        with Image.open(photo) as image:
            image.resize((90, 64)).save(photo)
    result = rezsl.fit(data, training=SHORT, progress=False)
    assert isinstance(result.model.network, AttentionNet)
    assert result.model.backbone.source == "small_resnet (random weights)"


def test_a_cache_without_network_is_complete_or_refused(
    resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, commit = tmp_path / "hub" / "models--painters--net", "0123456789abcdef0123456789abcdef01234567"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    (cache / "snapshots").mkdir()
    snapshot = resnet.rename(cache / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    # Other colours than with a network would be used without a word.
    with pytest.raises(ArgumentError, match=r"its preprocessor_config\.json is not in the local cache"):
        pretrained(3, 90, "painters/net")
    (snapshot / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.1, 0.2, 0.3]}))
    backbone = pretrained(3, 90, "painters/net")
    assert backbone.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert (backbone.source, backbone.revision) == ("painters/net", commit)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ArgumentError, match=r"its model\.safetensors is not in the local cache"):
        pretrained(3, 90, "painters/net")


def test_ctrl_c_leaves_a_model_of_photos(photos: Path, resnet: Path, tmp_path: Path) -> None:
    class Interrupt(rezsl.training.Callback):
        def on_epoch_end(self, stage: rezsl.training.Stage, record: rezsl.training.EpochRecord) -> None:
            raise KeyboardInterrupt

    run = tmp_path / "runs" / "one"
    with pytest.raises(KeyboardInterrupt):
        train(photos, resnet, run, callbacks=[Interrupt()])
    assert isinstance(rezsl.load_model(run).backbone, ScaledImageBackbone)
    resumed = train(photos, resnet, run, resume=True)
    whole = train(photos, resnet, tmp_path / "runs" / "two")
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_the_commands_take_photos(
    photos: Path, resnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, cache = str(tmp_path / "run"), str(tmp_path / "cache")
    short = ["--max-epochs=1", "--batches.per-epoch=2", "--folds=1", "--report=false", f"--cache={cache}"]
    data = ["--data", "folder", "--data.root", str(photos), "--backbone", "pretrained", f"--backbone.source={resnet}"]
    assert main(["fit", *data, "--backbone.image-size=28", *short, "--run-dir", run]) == 0
    printed = capsys.readouterr().out
    assert f"images of 70 pixels, scaled to 28: {resnet}, frozen\n" in printed
    assert re.search(r"selected on .*, centered (true|false), mixup [01] \(", printed)
    measured = json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]
    assert len(stores(tmp_path / "cache")) == 1
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["predict", run, str(photos / "images" / "red"), "--format", "json"]) == 0
    predicted = json.loads(capsys.readouterr().out)
    assert len(predicted) == 6
    with monkeypatch.context() as patch:
        # Regions are read from the cache that the run names, also by a report, which draws maps of a few photos.
        seen = spied(patch, lambda total: None)
        assert main(["evaluate", run, "--format", "json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert {name: found[name] for name in ("T1", "U", "S", "H")} == pytest.approx(
            {name: measured[name] for name in ("T1", "U", "S", "H")}
        )
        assert seen == []
        assert main(["report", run, "-o", "page.html"]) == 0
        assert 0 < sum(seen) < 10
    assert main(["evaluate", run]) == 0
    assert f"{100 * measured['T1']:.1f}" in capsys.readouterr().out
    assert main(["explain", run, str(photos / "images" / "red" / "0.png"), "-o", str(tmp_path / "why.png")]) == 0
    assert (tmp_path / "why.png").exists()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("move", ["nothing", "photo", "order", "weights", "damage", "interruption", "elsewhere"])
def test_a_model_is_tested_on_regions_where_the_cache_has_those_of_its_photos(
    photos: Path, resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    run = tmp_path / "runs" / "one"
    expected = train(photos, resnet, run).test
    assert expected is not None
    model, cache = rezsl.load_model(run), cache_beside(run)
    (store,) = cache.iterdir()
    if move == "photo":
        with Image.open(photos / "images" / "red" / "0.png") as image:
            image.putpixel((3, 3), (1, 2, 3))
            image.save(photos / "images" / "red" / "0.png")
    elif move == "order":
        lines = (photos / "splits.csv").read_text().splitlines()
        (photos / "splits.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    elif move == "weights":
        next(model.backbone.network.parameters()).data.mul_(1.01)  # type: ignore[union-attr]
    elif move == "damage":
        (store / "manifest.json").write_text("{}")
    elif move == "interruption":
        next((store / "chunks").iterdir()).unlink()
    data = load_image_folder(photos)
    caches = [tmp_path / "none", tmp_path] if move == "elsewhere" else [tmp_path / "none", cache]
    alone, regions = on_cached_regions(model, data, caches)
    if move != "nothing":
        assert (alone, regions) == (model, data)
        return
    assert isinstance(alone.backbone, FeatureScaler)
    slow = rezsl.evaluate(model, data)
    forbid(monkeypatch)
    assert rezsl.evaluate(alone, regions).metrics() == pytest.approx(slow.metrics(), nan_ok=True)
    assert slow.metrics() == pytest.approx(expected.metrics(), nan_ok=True)
    # A model that needs no network, and data without photos, stay as they are.
    assert on_cached_regions(alone, regions, caches) == (alone, regions)
    assert on_cached_regions(model, regions, caches) == (model, regions)


def test_features_have_one_deviation_and_pooled_regions_one_for_each(features: Benchmark) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    inputs = features.inputs * torch.tensor([1.0, 10, 0.1, 1, 1, 1, 1, 0]) + 3
    index = features.split.trainval
    scaler = rezsl.regions.FeatureScaler.from_features(inputs, index, per_channel=True)
    rows = inputs[index].double()
    mean = [sum(column) / len(column) for column in rows.T.tolist()]
    squares = [sum((x - m) ** 2 for x in column) / len(column) for column, m in zip(rows.T.tolist(), mean, strict=True)]
    overall = (sum(squares) / len(squares)) ** 0.5
    deviations = [max(square**0.5, 0.01 * overall) for square in squares]
    assert scaler.deviation.tolist() == pytest.approx(deviations, rel=1e-5)
    assert min(scaler.deviation.tolist()) == pytest.approx(0.01 * overall)
    scaled = scaler(inputs[index])[:, 0].double()
    expected = (rows - torch.tensor(mean)) / torch.tensor(deviations)
    torch.testing.assert_close(scaled, expected, rtol=1e-4, atol=1e-4)
    trained = rezsl.fit(replace(features, inputs=inputs), training=SHORT, progress=False)
    assert isinstance(trained.model.backbone, rezsl.regions.FeatureScaler)
    assert trained.model.backbone.deviation.shape == ()
    assert float(trained.model.backbone.deviation) == pytest.approx(overall, rel=1e-5)

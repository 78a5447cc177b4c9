import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTModel

from rezsl.classifier import load_model, model_of_images, save_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_digits
from rezsl.errors import DataError
from rezsl.interruption import INTERRUPTED
from rezsl.regions import load_region_store
from rezsl.regions.pretrained import quiet

DIGITS = ["--data", "digits", "--backbone", "small_resnet", "--backbone.width", "4"]
SHORT = ["--max-epochs=1", "--batches.per-epoch=3", "--accelerator=cpu", "--report=false"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits through a small network, extracted in two shards."""
    root = tmp_path_factory.mktemp("cli") / "store"
    for shard in ("2/2", "1/2"):
        assert main(["extract", *DIGITS, "--output", str(root), "--shard", shard, "--batch-size=256"]) == 0
    return root


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on that store."""
    root = tmp_path_factory.mktemp("cli") / "run"
    assert main(["fit", "--data", "regions", "--data.root", str(store), "--run-dir", str(root), *SHORT]) == 0
    return root


def test_processes_of_a_launcher_share_a_store_and_one_that_died_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["extract", *DIGITS, "--output", str(tmp_path / "store"), "--batch-size=256", "--chunk=256"]
    for name, value in {"WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    said = []
    for rank in ("2", "0"):  # the process 1 has died
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert main(command) == 0
        said.append(capsys.readouterr().out.splitlines())
    assert said[0] == [f"shard 3/3 of {tmp_path / 'store'} is written"]
    assert said[1][1].startswith("shard 1/3 of 1797 × 64 × 8 numbers")
    assert len([*(tmp_path / "store" / "chunks").iterdir()]) == 5
    with pytest.raises(DataError, match="expected 8 finished chunks of 256 images, 3 are missing"):
        load_region_store(tmp_path / "store")
    # Its part may be divided again, among other processes on another machine.
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, shard in (("0", "1/2"), ("1", "1/2"), ("0", "2/2"), ("1", "2/2")):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert main([*command, "--shard", shard]) == 0
    load_region_store(tmp_path / "store", verify=True)


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == USER_ERROR
    (line,) = capsys.readouterr().err.strip().splitlines()
    return str(line).removeprefix("rezsl: error: ")


def test_a_model_of_regions_sees_images_through_the_backbone_of_its_store(store: Path, run: Path) -> None:
    digits, regions, model = load_digits(), load_region_store(store, verify=True), load_model(run)
    rows = torch.arange(0, 1797, 100)
    expected = model.predict_semantics(regions.inputs, index=rows)
    joined = model_of_images(model, store)
    torch.testing.assert_close(joined.predict_semantics(digits.inputs, index=rows), expected, rtol=1e-3, atol=1e-4)
    save_model(joined, store.parent / "joined")
    alone = load_model(store.parent / "joined")
    torch.testing.assert_close(
        alone.predict_semantics(digits.inputs, index=rows), joined.predict_semantics(digits.inputs, index=rows)
    )


def test_predict_finds_the_store_or_says_that_it_needs_one(
    store: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = load_digits().inputs
    assert isinstance(inputs, torch.Tensor)
    photo = tmp_path / "photo.png"
    Image.fromarray(inputs[0, 0].numpy()).save(photo)
    capsys.readouterr()
    assert main(["predict", str(run), str(photo), "--format=json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (tmp_path / "run").mkdir()
    for name in ("model.json", "model.safetensors"):
        (tmp_path / "run" / name).symlink_to(run / name)
    assert error_of(capsys, "predict", tmp_path / "run", photo) == (
        f"{tmp_path / 'run'}: trained on regions of small_resnet (random weights), not on images, and their store was "
        f"not found; give a store of that backbone with --store"
    )
    assert main(["predict", str(tmp_path / "run"), str(photo), "--format=json", "--store", str(store)]) == 0
    assert json.loads(capsys.readouterr().out) == found
    other = tmp_path / "other"
    assert main(["extract", *DIGITS, "--seed=1", "--output", str(other)]) == 0
    assert error_of(capsys, "predict", run, photo, "--store", other) == (
        f"{other}: expected a store of regions of small_resnet (random weights), which the model was trained on, got "
        f"one that differs in backbone.sha256; give a store of that backbone"
    )
    weights = bytearray((other / "backbone.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "backbone.safetensors").write_bytes(weights)
    (other / "manifest.json").write_text((store / "manifest.json").read_text())
    assert "backbone.safetensors: expected the recorded checksum" in error_of(
        capsys, "predict", run, photo, "--store", other
    )


def test_evaluate_sees_foreign_images_through_the_backbone_of_the_store(
    store: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    inputs = load_digits().inputs
    assert isinstance(inputs, torch.Tensor)
    noise = torch.randint(256, (10, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for number, pixels in enumerate([*noise, *inputs[:10, 0]]):
        Image.fromarray(pixels.numpy()).save(photos / f"{number}.png")
    capsys.readouterr()
    assert main(["predict", str(run), str(photos), "--format=json"]) == 0
    refused = [answer["far"] for answer in json.loads(capsys.readouterr().out)]
    assert main(["evaluate", str(run), "--format=json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(run), "--foreign", str(photos), "--format=json"]) == 0
    found = json.loads(capsys.readouterr().out)
    accepted = found.pop("false_accept")
    assert accepted == pytest.approx(1 - sum(refused) / len(refused))
    assert found == {name: value for name, value in alone.items() if name != "false_accept"}
    (tmp_path / "run").mkdir()
    for name in ("model.json", "model.safetensors"):
        (tmp_path / "run" / name).symlink_to(run / name)
    moved: list[str | Path] = ["--data", "regions", "--data.root", str(store), "--foreign", photos]
    assert error_of(capsys, "evaluate", tmp_path / "run", *moved) == (
        f"{tmp_path / 'run'}: trained on regions of small_resnet (random weights), not on images, and their store was "
        f"not found; put the store back, or leave --foreign out"
    )


def test_a_pretrained_directory_and_a_cached_model_by_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    with quiet():
        ViTModel(config).save_pretrained(tmp_path / "vit")
    folder = tmp_path / "signs"
    for name in ("a", "b"):
        (folder / "images" / name).mkdir(parents=True)
        Image.new("RGB", (40, 30), {"a": "red", "b": "blue"}[name]).save(folder / "images" / name / "1.png")
    (folder / "semantics.csv").write_text("class,x,y\na,1,0\nb,0,1\nc,1,1\n")
    arguments = ["extract", "--data", "folder", "--data.root", str(folder), "--backbone", "pretrained"]
    arguments += ["--backbone.source", str(tmp_path / "vit")]
    out = tmp_path / "store"
    assert main([*arguments, "--backbone.image-size=48", "--dtype=bfloat16", "--output", str(out)]) == 0
    assert "2 × 37 × 16 numbers" in capsys.readouterr().out
    inputs = load_region_store(out).inputs
    assert isinstance(inputs, torch.Tensor)
    assert (inputs.shape, inputs.dtype) == ((2, 37, 16), torch.bfloat16)
    described = json.loads((out / "manifest.json").read_text())["backbone"]
    assert (described["source"], described["revision"]) == (str(tmp_path / "vit"), "")
    # The same weights from the hub's cache, without a network: the store is gone on with, and a new one has the commit.
    cache, commit = tmp_path / "cache" / "models--painters--vit", "0123456789abcdef0123456789abcdef01234567"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    (cache / "snapshots").mkdir()
    (tmp_path / "vit").rename(cache / "snapshots" / commit)
    (cache / ".no_exist" / commit).mkdir(parents=True)  # the hub's client records files that a model lacks
    (cache / ".no_exist" / commit / "preprocessor_config.json").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    arguments[-1] = "painters/vit"
    arguments += ["--backbone.image-size=48", "--dtype=bfloat16", "--output"]
    assert main([*arguments, str(out)]) == 0
    assert main([*arguments, str(tmp_path / "new")]) == 0
    described = json.loads((tmp_path / "new" / "manifest.json").read_text())["backbone"]
    assert (described["source"], described["revision"]) == ("painters/vit", commit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*DIGITS, "--shard=0/2"], "--shard: expected I/N with 1 ≤ I ≤ N, such as 1/4, got '0/2'"),
        ([*DIGITS, "--shard=2"], "--shard: expected I/N with 1 ≤ I ≤ N, such as 1/4, got '2'"),
        ([*DIGITS, "--chunk=0"], "--chunk: expected at least 1, got 0"),
        (
            [*DIGITS, "--backbone.widht=3"],
            "unknown option --backbone.widht of small_resnet (did you mean --backbone.width?); see rezsl extract --backbone.help small_resnet",
        ),
        (
            ["--data", "digits", "--backbone", "small_resne"],
            "--backbone: unknown 'small_resne' (did you mean small_resnet?); expected pretrained, small_resnet",
        ),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error_of(capsys, "extract", *arguments, "--output", tmp_path / "no").startswith(message)
    assert not (tmp_path / "no").exists()


def test_regions_are_not_extracted_again(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", "regions", "--data.root", str(store), "--backbone", "small_resnet"]
    message = error_of(capsys, "extract", *arguments, "--output", tmp_path / "no")
    assert message.startswith("--data: expected a benchmark of images, got features (1797 features, 7 seen")


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rezsl.regions.extraction.read_record", interrupt)
    assert main(["extract", *DIGITS, "--output", str(tmp_path / "no")]) == INTERRUPTED
    assert "rezsl: interrupted; the same command goes on where this one stopped" in capsys.readouterr().err

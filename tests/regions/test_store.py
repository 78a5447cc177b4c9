import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, benchmark_checksums, benchmark_fingerprint, gather_rows
from rezsl.errors import DataError, ModelFileError
from rezsl.models import AttentionNet
from rezsl.regions import FeatureScaler, ImageBackbone, extract_regions, load_region_store, small_resnet
from rezsl.regions.store import RegionManifest, load_store_backbone, write_dataset, write_record
from rezsl.semantics import ClassSemantics
from rezsl.training import Training
from rezsl.training._assembly import in_memory
from tests.conftest import linear_benchmark


def images_benchmark(generator: torch.Generator) -> Benchmark:
    """Return 48 grey images of 8 × 8 pixels of four seen and two unseen classes, with word vectors, groups and places."""
    values = torch.rand(6, 4, generator=generator) + 0.1
    words = torch.randn(4, 3, generator=generator)
    places = torch.tensor([[0.5, 0.25, 0.1], [0.5, 0.5, torch.inf], [0.0, 1.0, 0.2], [0.5, 0.5, 0.5]])
    semantics = ClassSemantics(tuple("äbcdef"), tuple("wxyz"), values, words, ("one", "one", "two", "two"), places)
    plain = linear_benchmark(semantics, generator, seen=4, per_class=8, dim=3)
    inputs = torch.randint(256, (48, 1, 8, 8), dtype=torch.uint8, generator=generator)
    return Benchmark(
        "toy images", inputs, plain.labels, semantics, plain.split, groups=torch.arange(48) // 2, notes=("a note",)
    )


def small_backbone() -> ImageBackbone:
    torch.manual_seed(0)
    return small_resnet(1, 8, image_size=8, width=4)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished store of five chunks."""
    root = tmp_path_factory.mktemp("stores") / "kept"
    benchmark = images_benchmark(torch.Generator().manual_seed(0))
    extract_regions(benchmark, small_backbone(), root, chunk=10, batch_size=4, progress=False)
    return root


@pytest.fixture
def store(kept: Path, tmp_path: Path) -> Path:
    """Return a copy of the store, to be damaged."""
    return Path(shutil.copytree(kept, tmp_path / "store"))


def test_a_store_is_the_benchmark_with_regions_for_images(kept: Path, generator: torch.Generator) -> None:
    before, after = images_benchmark(generator), load_region_store(kept, verify=True)
    assert isinstance(after.inputs, torch.Tensor)
    with torch.inference_mode():
        expected = small_backbone().eval()(before.inputs)
    assert after.inputs.shape == expected.shape
    # The tolerance is half a unit in the last of 11 bits.
    torch.testing.assert_close(after.inputs.float(), expected, rtol=2**-11, atol=2**-24)
    assert (after.name, after.notes, after.kind) == ("toy images", ("a note",), "features")
    assert torch.equal(after.labels, before.labels)
    assert after.groups is not None
    assert before.groups is not None
    assert torch.equal(after.groups, before.groups)
    for name, index in before.split.parts().items():
        assert torch.equal(after.split.parts()[name], index)
    left, right = after.semantics, before.semantics
    assert (left.classes, left.attributes, left.groups) == (right.classes, right.attributes, right.groups)
    assert torch.equal(left.values, right.values)
    assert torch.equal(left.query_vectors, right.query_vectors)
    assert left.places is not None
    torch.testing.assert_close(left.places, right.places, rtol=0, atol=0)


def test_every_damage_is_named(store: Path) -> None:
    features = store / "regions.bin"
    content = features.read_bytes()
    features.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"regions.bin: expected 12,288 bytes \(48 × 16 × 8 numbers of 2\), got 12,287"):
        load_region_store(store)
    features.write_bytes(content[:5000] + b"\xff" + content[5001:])
    load_region_store(store)
    with pytest.raises(DataError, match=r"regions of images 10 to 19 are damaged; remove .*000001.json"):
        load_region_store(store, verify=True)
    features.unlink()
    with pytest.raises(DataError, match="got no such file; the file was cut off or replaced, so remove"):
        load_region_store(store)
    features.write_bytes(content)
    for chunk in (1, 4):
        (store / "chunks" / f"{chunk:06d}.json").unlink()
    with pytest.raises(DataError, match="expected 5 finished chunks of 10 images, 2 are missing; run the same"):
        load_region_store(store)
    (store / "chunks" / "000001.json").write_text('{"chunk": 4}')
    with pytest.raises(DataError, match="expected the record of images 10 to 19, got another"):
        load_region_store(store)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "in format 2, got format 3; give .*or extract again with this"),
        ({"format": "1"}, "expected the manifest of a store of regions in format 2, got format '1'"),
        ({"count": -1}, r"got a damaged file \(ValueError: shape \(-1, 16, 8\), .*extract again"),
        ({"region_dim": 8.0}, r"got a damaged file \(ValueError: shape \(48, 16, 8.0\), .*extract again"),
        ({"dtype": "float64"}, "got a damaged file .*dtype float64.*extract again"),
        ({"backbone": None}, "expected the manifest of a store of regions, got a damaged file .*extract again"),
        ({"backbone": {"class": "ImageBackbone"}}, "expected the manifest of a store of regions, got a damaged file"),
        ({"dataset": {}}, "got dataset.safetensors and dataset.json that differ from it in inputs, labels"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_manifest_that_cannot_be_is_refused(store: Path, change: dict[str, object], message: str) -> None:
    path = store / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message):
        load_region_store(store)
    with pytest.raises(
        DataError, match=r"cannot be read \(No such file or directory\); expected .*; give a directory that rezsl"
    ):
        load_region_store(store / "chunks")


def test_a_backbone_that_is_larger_than_its_file_takes_no_memory(store: Path) -> None:
    path = store / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["backbone"]["arguments"]["config"]["hidden_sizes"][-1] = 40_000
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        ModelFileError, match=r"backbone\.safetensors: expected networks of at most .* numbers, .*; copy"
    ):
        load_store_backbone(store)


@pytest.mark.parametrize("name", ["dataset.safetensors", "dataset.json"])
def test_a_damaged_data_set_is_refused(store: Path, name: str) -> None:
    (store / name).write_bytes(b"{}")
    with pytest.raises(DataError, match=rf"{name}: expected .*; remove the file and run the same rezsl extract"):
        load_region_store(store)
    (store / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: cannot be read \(No such file or directory\); .* run the same"):
        load_region_store(store)


def test_fingerprint_follows_the_features(kept: Path, store: Path) -> None:
    assert benchmark_fingerprint(load_region_store(kept)) == benchmark_fingerprint(load_region_store(store))
    path = store / "chunks" / "000002.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    assert (
        benchmark_fingerprint(load_region_store(kept))["sha256"]
        != benchmark_fingerprint(load_region_store(store))["sha256"]
    )


def test_a_store_need_not_be_writable_and_is_never_written(store: Path) -> None:
    content = (store / "regions.bin").read_bytes()
    (store / "regions.bin").chmod(0o444)
    benchmark = load_region_store(store)
    assert isinstance(benchmark.inputs, torch.Tensor)
    benchmark.inputs[0] = 1.0
    assert (store / "regions.bin").read_bytes() == content


def resident_bytes() -> int:
    """Return the memory of this process in bytes, with the pages of mapped files."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from a file of Linux")
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, semantics: ClassSemantics, generator: torch.Generator
) -> None:
    """The file is sparse and 2.3 GiB long: code that reads all of it maps all of its pages, which count as memory."""
    plain = linear_benchmark(semantics, generator, seen=4, per_class=2000, dim=3)
    backbone = {"class": "ImageBackbone", "arguments": {}, "sha256": "", "source": "nowhere"}
    names = list(range(12000))
    manifest = RegionManifest(12000, 100, 1024, "bfloat16", 5000, backbone, benchmark_checksums(plain, names))
    manifest.claim(tmp_path)
    write_dataset(tmp_path, plain, names)
    (tmp_path / "chunks").mkdir()
    for chunk in range(3):
        write_record(tmp_path, manifest, chunk, "0" * 64)
    (tmp_path / "regions.bin").touch()
    os.truncate(tmp_path / "regions.bin", 12000 * 100 * 1024 * 2)
    monkeypatch.setattr("rezsl.regions._backbone.MOST_NUMBERS", 1 << 22)

    before = resident_bytes()
    data = load_region_store(tmp_path)
    benchmark_fingerprint(data)
    assert isinstance(data.inputs, torch.Tensor)
    scaler = FeatureScaler.from_features(data.inputs, data.split.trainval)
    network = AttentionNet(1024, semantics)
    model = ZeroShotClassifier(scaler, network, semantics, data.seen_classes)
    assert in_memory(data, model.input_format, Training()) is data
    predicted = model.predict_semantics(data.inputs, batch_size=8, index=torch.arange(0, 12000, 400))
    assert predicted.dtype == torch.float32
    assert resident_bytes() - before < 150 << 20


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.uint8])
@pytest.mark.parametrize("shape", [(9, 4, 6), (9, 3, 5), (9, 8), (9, 0), (9,)])
def test_gathered_rows_are_what_indexing_gives(
    dtype: torch.dtype, shape: tuple[int, ...], generator: torch.Generator
) -> None:
    tensor = torch.randint(100, shape, generator=generator).to(dtype)
    index = torch.tensor([8, 0, 3, 3])
    for rows in (tensor, tensor[1:], torch.cat([tensor.flatten()[:1], tensor.flatten()])[1:].view(shape)):
        index = index.clamp(max=len(rows) - 1)
        assert torch.equal(gather_rows(rows, index), rows[index])
    assert torch.equal(gather_rows(tensor, index[:0]), tensor[:0])


def test_scaler_of_many_rows_is_estimated_from_some_of_all(
    monkeypatch: pytest.MonkeyPatch, generator: torch.Generator
) -> None:
    regions = torch.randn(4000, 3, 5, generator=generator) * 2 + torch.arange(5.0)
    exact = FeatureScaler.from_features(regions)
    torch.testing.assert_close(exact.mean, regions.double().mean(dim=(0, 1)).float())
    torch.testing.assert_close(exact.deviation, (regions - exact.mean).double().square().mean().sqrt().float())
    index = torch.arange(0, 4000, 2)
    torch.testing.assert_close(
        FeatureScaler.from_features(regions, index).mean, FeatureScaler.from_features(regions[::2]).mean
    )
    monkeypatch.setattr("rezsl.regions._backbone.MOST_NUMBERS", 15 * 1000)
    # The first half is moved far away, so that the estimate is only right if its rows come from both halves.
    regions[:2000] += 100
    estimate, exact_of_both = FeatureScaler.from_features(regions), regions.mean(dim=(0, 1))
    torch.testing.assert_close(estimate.mean, exact_of_both, rtol=0, atol=0.5)

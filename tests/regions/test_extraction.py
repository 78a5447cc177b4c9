import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from rezsl.data import Benchmark, Crop, Split, load_image_folder
from rezsl.errors import ArgumentError, DataError
from rezsl.models import AttentionNet
from rezsl.regions import ImageBackbone, RegionDtype, extract_regions, load_region_store
from rezsl.training import Batches, Training, fit
from tests.regions.test_store import images_benchmark, small_backbone


class Changed(ImageBackbone):
    """A backbone whose regions are changed by a function."""

    change: Callable[[torch.Tensor], torch.Tensor]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.change(super().forward(inputs))


def changed(change: Callable[[torch.Tensor], torch.Tensor]) -> ImageBackbone:
    plain = small_backbone()
    backbone = Changed(**plain.arguments)
    backbone.load_state_dict(plain.state_dict())
    backbone.change = change
    return backbone


def files_of(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def extract(benchmark: Benchmark, root: Path, shard: tuple[int, int] = (0, 1)) -> None:
    extract_regions(benchmark, small_backbone(), root, chunk=10, batch_size=4, shard=shard, progress=False)


@pytest.mark.parametrize("batches", [0, 3, 8])
def test_what_was_interrupted_goes_on_and_ends_the_same(
    tmp_path: Path, generator: torch.Generator, batches: int
) -> None:
    benchmark, calls = images_benchmark(generator), [0]

    def interrupt(regions: torch.Tensor) -> torch.Tensor:
        # The first call only determines the shape of the regions.
        calls[0] += 1
        if calls[0] == batches + 2:
            raise KeyboardInterrupt
        return regions

    backbone = changed(interrupt)
    extract_regions(benchmark, changed(torch.clone), tmp_path / "whole", chunk=10, batch_size=4, progress=False)
    with pytest.raises(KeyboardInterrupt):
        extract_regions(benchmark, backbone, tmp_path / "cut", chunk=10, batch_size=4, progress=False)
    assert backbone.training  # its mode is restored
    assert len(list((tmp_path / "cut" / "chunks").iterdir())) == batches // 3
    with pytest.raises(DataError, match="expected 5 finished chunks"):
        load_region_store(tmp_path / "cut")
    extract_regions(benchmark, backbone, tmp_path / "cut", chunk=10, batch_size=4, progress=False)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_finished_chunks_are_not_computed_again(tmp_path: Path, generator: torch.Generator) -> None:
    benchmark = images_benchmark(generator)
    seen: list[int] = []

    def count(regions: torch.Tensor) -> torch.Tensor:
        seen.append(len(regions))
        return regions

    for expected in (1 + 48, 1, 1 + 10):
        extract_regions(benchmark, changed(count), tmp_path / "store", chunk=10, batch_size=4, progress=False)
        assert sum(seen) == expected
        seen.clear()
        if expected == 1:
            (tmp_path / "store" / "chunks" / "000002.json").unlink()
    load_region_store(tmp_path / "store", verify=True)


def test_two_shards_make_one_store(tmp_path: Path, generator: torch.Generator) -> None:
    benchmark = images_benchmark(generator)
    extract(benchmark, tmp_path / "one")
    extract(benchmark, tmp_path / "two", shard=(1, 2))
    with pytest.raises(DataError, match="expected 5 finished chunks of 10 images, 3 are missing"):
        load_region_store(tmp_path / "two")
    extract(benchmark, tmp_path / "two", shard=(0, 2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_another_question_is_refused_and_the_difference_named(tmp_path: Path, generator: torch.Generator) -> None:
    benchmark, root = images_benchmark(generator), tmp_path / "store"
    extract(benchmark, root)
    before = files_of(root)

    def refused(message: str, data: Benchmark = benchmark, backbone: ImageBackbone | None = None, **more: int) -> None:
        options = {"chunk": 10, "progress": False} | more
        with pytest.raises(DataError, match=message):
            extract_regions(data, backbone or small_backbone(), root, **options)  # type: ignore[arg-type]
        assert files_of(root) == before

    refused("differs in backbone.class: ImageBackbone → Changed", backbone=changed(torch.clone))
    refused(
        "differs in chunk: 10 → 12 .in the store → asked for.; use the same data and options, or choose another directory",
        chunk=12,
    )
    refused("dtype: float16 → bfloat16", **{"dtype": "bfloat16"})  # type: ignore[arg-type]
    other = small_backbone()
    with torch.no_grad():
        next(other.parameters()).add_(1e-6)
    refused("differs in backbone.sha256 .in the store", backbone=other)
    arguments = small_backbone().arguments
    refused(
        r"differs in regions: 16 → 64; backbone.preprocessing.size: 8 → 16",
        backbone=ImageBackbone(**arguments | {"image_size": 16}),
    )
    refused("differs in dataset.labels", replace(benchmark, labels=benchmark.labels.flip(0), split=flipped(benchmark)))
    assert isinstance(benchmark.inputs, torch.Tensor)
    refused("differs in dataset.inputs ", replace(benchmark, inputs=benchmark.inputs.roll(1, dims=0)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.png").touch()
    root, before = tmp_path / "other", files_of(tmp_path / "other")
    refused("expected a new or empty directory, or an unfinished store; choose another directory")


def flipped(benchmark: Benchmark) -> Split:
    parts = {name: len(benchmark.labels) - 1 - index for name, index in benchmark.split.parts().items()}
    return replace(benchmark.split, **parts)


def test_records_without_their_features_are_not_believed(tmp_path: Path, generator: torch.Generator) -> None:
    benchmark = images_benchmark(generator)
    extract(benchmark, tmp_path, shard=(0, 2))
    (tmp_path / "regions.bin").unlink()
    with pytest.raises(DataError, match=r"regions.bin: expected 12,288 bytes .*, got no such file"):
        extract(benchmark, tmp_path, shard=(1, 2))


def six_signs(folder: Path) -> Benchmark:
    """A folder of six images of two classes."""
    for position, name in enumerate(("a", "b")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (8, 8), 40 * (3 * position + number)).save(folder / "images" / name / f"{number}.png")
    (folder / "semantics.csv").write_text("class,x,y\na,1,0\nb,0,1\nc,1,1\n")
    return load_image_folder(folder)


def enlarge(factor: float) -> ImageBackbone:
    """A backbone that gives the third of four images a number of this size."""

    def change(regions: torch.Tensor) -> torch.Tensor:
        if len(regions) == 4:
            regions = regions.clone()
            regions[2:3, 0, 0] = factor
        return regions

    return changed(change)


def test_numbers_that_do_not_fit_are_refused_by_image(tmp_path: Path) -> None:
    benchmark = six_signs(tmp_path / "signs")

    def ends(factor: float, dtype: RegionDtype, message: str) -> None:
        with pytest.raises(DataError, match=message):
            extract_regions(
                benchmark,
                enlarge(factor),
                tmp_path / f"{factor} {dtype}",
                dtype,
                batch_size=4,
                progress=False,
            )

    # All six images are seen in batches of 4 and 2; the third of the four is a/2.png.
    name = re.escape(str(tmp_path / "signs" / "images" / "a" / "2.png"))
    ends(
        70000.0,
        "float16",
        rf"^{name}: a region has the number 70000, too large for float16; extract with dtype bfloat16 into",
    )
    ends(
        float("nan"),
        "bfloat16",
        rf"^{name}: the backbone's regions of this image contain NaN or infinity; check its weights",
    )
    ends(
        449.0,
        "float8_e4m3fn",
        rf"^{name}: a region has the number 449, too large for float8_e4m3fn; extract with dtype float16 into",
    )


def test_the_largest_numbers_of_each_type_are_kept(tmp_path: Path) -> None:
    benchmark = six_signs(tmp_path / "signs")
    extract_regions(benchmark, enlarge(448.0), tmp_path / "small", "float8_e4m3fn", batch_size=4, progress=False)
    quarter = load_region_store(tmp_path / "small", verify=True).inputs
    assert isinstance(quarter, torch.Tensor)
    assert float(quarter.float().max()) == 448
    extract_regions(benchmark, enlarge(448.0), tmp_path / "half", "float16", batch_size=4, progress=False)
    exact = load_region_store(tmp_path / "half").inputs
    assert isinstance(exact, torch.Tensor)
    # Four significant bits, and multiples of 2⁻⁹ below 2⁻⁶.
    torch.testing.assert_close(quarter.float(), exact.float(), rtol=2**-4, atol=2**-10)
    assert quarter.element_size() == 1
    large = enlarge(70000.0)
    extract_regions(benchmark, large, tmp_path / "large", "bfloat16", batch_size=4, progress=False)
    stored = load_region_store(tmp_path / "large").inputs
    assert isinstance(stored, torch.Tensor)
    assert float(stored.max()) == pytest.approx(70000, rel=2**-8)


def test_files_and_boxes_are_known_by_name_size_and_box(tmp_path: Path, generator: torch.Generator) -> None:
    plain = images_benchmark(generator)
    assert isinstance(plain.inputs, torch.Tensor)
    (tmp_path / "before").mkdir()
    for number, image in enumerate(plain.inputs):
        Image.fromarray(image[0].numpy()).save(tmp_path / "before" / f"{number}.png")
    paths = [tmp_path / "before" / f"{number}.png" for number in range(48)]
    extract(replace(plain, inputs=paths), tmp_path / "store")
    # The folder may move.
    (tmp_path / "before").rename(tmp_path / "after")
    moved: list[Path | Crop] = [tmp_path / "after" / path.name for path in paths]
    extract(replace(plain, inputs=moved), tmp_path / "store")
    moved[7] = Crop(tmp_path / "after" / "7.png", (0, 0, 4, 4))
    with pytest.raises(DataError, match=r"differs in dataset\.inputs"):
        extract(replace(plain, inputs=moved), tmp_path / "store")
    extract(replace(plain, inputs=moved), tmp_path / "boxes")
    with pytest.raises(DataError, match=r"before.0.png: no such image"):
        extract(replace(plain, inputs=paths), tmp_path / "other")


def test_arguments_out_of_range_are_named(tmp_path: Path, features: Benchmark, generator: torch.Generator) -> None:
    benchmark = images_benchmark(generator)
    for name, value, message in (
        ("chunk", 0, "chunk: expected at least 1, got 0"),
        ("batch_size", -1, "batch_size: expected at least 1, got -1"),
        ("shard", (2, 2), r"shard: expected \(i, n\) with 0 ≤ i < n, got \(2, 2\)"),
    ):
        with pytest.raises(ArgumentError, match=message):
            extract_regions(benchmark, small_backbone(), tmp_path / "no", progress=False, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="data: expected a benchmark of images, got features"):
        extract_regions(features, small_backbone(), tmp_path / "no", progress=False)
    assert not (tmp_path / "no").exists()


def test_training_reads_a_store_of_eight_bits(tmp_path: Path, generator: torch.Generator) -> None:
    benchmark, short = images_benchmark(generator), Training(max_epochs=1, batches=Batches(size=8, per_epoch=2))
    extract_regions(benchmark, small_backbone(), tmp_path / "store", "float8_e4m3fn", progress=False)
    run = fit(load_region_store(tmp_path / "store"), AttentionNet, training=short, progress=False)
    assert run.model.predict_semantics(load_region_store(tmp_path / "store").inputs).isfinite().all()


def test_training_from_a_store_attends_to_regions(tmp_path: Path, generator: torch.Generator) -> None:
    extract(images_benchmark(generator), tmp_path / "store")
    data = load_region_store(tmp_path / "store")
    result = fit(
        data,
        training=Training(max_epochs=1, batches=Batches(ways=2, per_epoch=2), accelerator="cpu"),
        run_dir=tmp_path / "run",
        progress=False,
    )
    assert isinstance(result.model.network, AttentionNet)
    described = json.loads((tmp_path / "run" / "model.json").read_text())["backbone"]["arguments"]["regions"]
    assert described["backbone"] == json.loads((tmp_path / "store" / "manifest.json").read_text())["backbone"]

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rezsl.data import Benchmark, Crop, RegionOrigin, benchmark_fingerprint
from rezsl.errors import DataError


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_feature_counts(features: Benchmark, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.records.SLICE_BYTES", 100)  # a few rows
    assert isinstance(features.inputs, torch.Tensor)
    inputs = features.inputs.to(dtype)
    whole = benchmark_fingerprint(replace(features, inputs=inputs))
    assert (
        benchmark_fingerprint(replace(features, inputs=inputs.T.contiguous().T)) == whole
    )  # however it lies in memory
    for row in (0, 50, len(inputs) - 1):
        changed = inputs.clone()
        changed[row, 3] += 1
        assert benchmark_fingerprint(replace(features, inputs=changed))["sha256"] != whole["sha256"]
    assert benchmark_fingerprint(replace(features, inputs=inputs.unsqueeze(1)))["sha256"] != whole["sha256"]


def test_an_empty_part_of_any_stride_counts_as_empty(features: Benchmark) -> None:
    expected = benchmark_fingerprint(
        replace(features, split=replace(features.split, test_seen=features.split.test_seen[:0]))
    )
    # NumPy gives the empty array of a MATLAB file such a stride.
    nothing = torch.empty(1, dtype=torch.int64).expand(5)[:0]
    assert benchmark_fingerprint(replace(features, split=replace(features.split, test_seen=nothing))) == expected


def test_a_store_of_regions_is_known_by_its_own_checksum(features: Benchmark, tmp_path: Path) -> None:
    """Nothing reads all of it: here it has no values to read."""
    store = torch.empty(len(features.labels), 9, 8, dtype=torch.float16, device="meta")
    origins = [RegionOrigin(tmp_path / place, {}, "float16", sha256) for place, sha256 in ("aa", "ba", "ab")]
    prints = [benchmark_fingerprint(replace(features, inputs=store, regions=origin)) for origin in origins]
    assert prints[0] == prints[1] != prints[2]


def test_files_count_by_name_and_size_wherever_the_folder_lies(features: Benchmark, tmp_path: Path) -> None:
    def benchmark(folder: Path) -> Benchmark:
        return replace(features, inputs=[folder / f"{row % 2}" / f"{row}.png" for row in range(len(features.labels))])

    here, there = tmp_path / "here", tmp_path / "somewhere" / "else"
    for number, file in enumerate(benchmark(here).inputs):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * number)
    shutil.copytree(here, there)
    whole = benchmark_fingerprint(benchmark(here))
    assert benchmark_fingerprint(benchmark(there)) == whole
    boxes = [Crop(path, (0, 0, 4, 4)) for path in benchmark(here).inputs]  # type: ignore[arg-type]
    assert benchmark_fingerprint(replace(features, inputs=boxes)) != whole
    (there / "0" / "2.png").write_bytes(b"y" * 7)
    assert benchmark_fingerprint(benchmark(there)) != whole
    (there / "1" / "5.png").unlink()
    with pytest.raises(DataError, match=r"5\.png: no such image .*; restore it"):
        benchmark_fingerprint(benchmark(there))

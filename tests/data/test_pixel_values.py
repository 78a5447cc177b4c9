"""The numbers in image files become brightness by one rule, which does not depend on the content of a file."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rezsl.data import load_image_folder, read_image, read_images
from rezsl.data._pixel_values import Extent, ValueRange, notes_on_range
from rezsl.errors import ArgumentError, DataError


def seen(values: np.ndarray, path: Path, value_range: ValueRange | None = None) -> np.ndarray:
    """Return what a model sees of an array that was written to a file."""
    Image.fromarray(values).save(path)
    return read_image(path, values.shape[0], channels=1, value_range=value_range)[0].numpy()


def full(value: float, kind: str, other: float | None = None) -> np.ndarray:
    values = np.full((8, 8), value, kind)
    if other is not None:
        values[0, 0] = other
    return values


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        ("u1", "a.png", 200, 200), ("u1", "a.tif", 1, 1), ("u2", "a.png", 32896, 128), ("u2", "a.tif", 257, 1),
        ("u2", "a.tif", 4095, 16), ("f4", "a.tif", 0.5, 128), ("f4", "a.tif", 1.0, 255), ("f4", "a.tif", 1e-4, 0),
    ],
)  # fmt: skip
def test_the_type_of_the_numbers_decides(tmp_path: Path, kind: str, name: str, value: float, expected: int) -> None:
    assert seen(full(value, kind), tmp_path / name).tolist() == full(expected, "u1").tolist()
    # Another pixel changes nothing but itself.
    limit = {"u1": 255, "u2": 65535, "f4": 1}[kind]
    for other in (0, limit):
        found = seen(full(value, kind, other), tmp_path / name)
        assert found[0, 0] == (255 if other else 0)
        assert found.ravel()[1:].tolist() == [expected] * 63


@pytest.mark.parametrize("value_range", [None, (0.0, 1.0), (-5.0, 5.0)])
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, broken: float, value_range: ValueRange | None) -> None:
    with pytest.raises(
        DataError, match=r"a\.tif: expected finite numbers, got NaN or infinity in 1 of 64 pixels; fill"
    ):
        seen(full(0.5, "f4", broken), tmp_path / "a.tif", value_range)


@pytest.mark.parametrize("other", [1.01, -0.01, 255])
def test_floating_point_numbers_outside_0_to_1_are_refused(tmp_path: Path, other: float) -> None:
    with pytest.raises(
        DataError,
        match=rf"a\.tif: expected floating-point numbers from 0 to 1, got .*{other:g}.*--data\.value-range LOW HIGH",
    ):
        seen(full(0.5, "f4", other), tmp_path / "a.tif")
    # A range that the user gives cuts what lies outside, in that pixel alone.
    found = seen(full(0.5, "f4", other), tmp_path / "a.tif", (0, 1))
    assert found.ravel()[1:].tolist() == [128] * 63
    assert found[0, 0] == (255 if other > 1 else 0)


def test_types_without_a_custom_need_a_range(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"a\.tif: expected a type of numbers with a customary range, got signed 32-bit numbers from 200 to 300; give the range of all images",
    ):
        seen(full(200, "i4", 300), tmp_path / "a.tif")
    for other in (0, 300, 2000):
        assert seen(full(200, "i4", other), tmp_path / "a.tif", (0, 400)).ravel()[1:].tolist() == [128] * 63
    assert seen(full(-900, "i4", 300), tmp_path / "a.tif", (-1000, 0))[1, 1] == 26


def tiff(kind: str, sample_format: int, values: list[float]) -> bytes:
    """Return an uncompressed TIFF of one row of numbers."""
    content = np.array(values, kind).tobytes()
    tags = [
        (256, 3, len(values)), (257, 3, 1), (258, 3, np.dtype(kind).itemsize * 8), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 3, 1), (279, 4, len(content)), (339, 3, sample_format),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(content)) + content + struct.pack("<H", len(tags)) + entries + bytes(4)
    )


@pytest.mark.parametrize(
    ("kind", "sample_format", "name"),
    [("<i2", 2, "signed 16-bit numbers"), ("<u4", 1, "32-bit numbers"), ("<i4", 2, "signed 32-bit numbers")],
)
def test_numbers_as_they_are_stored(tmp_path: Path, kind: str, sample_format: int, name: str) -> None:
    top = float(np.iinfo(kind).max)
    (tmp_path / "a.tif").write_bytes(tiff(kind, sample_format, [0, top / 2 // 1, top]))
    with pytest.raises(DataError, match=f"got {name} from 0 to"):
        read_image(tmp_path / "a.tif", 1)
    pixels = [
        read_image(tmp_path / "a.tif", 1, 1, centre=(place, 0.5), value_range=(0, top)) for place in (0.0, 0.5, 1.0)
    ]
    assert [int(pixel) for pixel in pixels] == [0, 127, 255] or [int(pixel) for pixel in pixels] == [0, 128, 255]


def test_a_map_says_its_own_range(tmp_path: Path) -> None:
    """The header of PNM has the largest value, by which Pillow scales."""
    (tmp_path / "a.pgm").write_bytes(b"P5 2 2 4095\n" + np.full(4, 2048, ">u2").tobytes())
    assert read_image(tmp_path / "a.pgm", 2, 1).unique().tolist() == [128]


def png_of_16_bit_colours(path: Path, value: int) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = b"\x00" + struct.pack(">6H", *[value] * 6)
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 2)) + chunk(b"IEND", b""))  # fmt: skip


def test_16_bit_colours(tmp_path: Path) -> None:
    png_of_16_bit_colours(tmp_path / "a.png", 0x80FF)
    assert read_image(tmp_path / "a.png", 2).unique().tolist() == [128]
    assert read_image(tmp_path / "a.png", 2, value_range=(0, 65535)).unique().tolist() == [128]
    with pytest.raises(
        DataError, match=r"a\.png: expected 8-bit colours or one channel under a range of values, got 16-bit colours"
    ):
        read_image(tmp_path / "a.png", 2, value_range=(0, 4095))


def test_a_range_holds_for_8_bits_too(tmp_path: Path) -> None:
    colours = np.zeros((4, 4, 3), "u1") + np.array([0, 20, 40], "u1")
    Image.fromarray(colours).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 4, value_range=(0, 40))[:, 0, 0].tolist() == [0, 128, 255]
    Image.fromarray(colours).convert("RGBA").save(tmp_path / "b.png")
    assert read_images([tmp_path / "b.png"], 4, value_range=(0, 40))[0, :, 0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("wrong", [(1, 1), (2, 1), (0, float("nan")), (0, float("inf"))])
def test_ranges_that_are_none(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="value_range: expected two numbers, the value that is black and a larger"):
        load_image_folder(tmp_path, value_range=wrong)


def test_what_looks_like_another_range() -> None:
    def notes(kind: str, *highs: float, value_range: ValueRange | None = None) -> str:
        return " ".join(notes_on_range([Extent(kind, 0, high) for high in highs], value_range))

    assert "if all images have the range 0 to 4095, give --data.value-range 0 4095" in notes(
        "16-bit numbers", 900, 3760
    )
    assert "give --data.value-range 0 1023" in notes("16-bit numbers", 1020)
    assert "give --data.value-range 0 1" in notes("8-bit numbers", 1)
    assert "2 images of floating-point numbers examined have values from 0 to 0.1" in notes(
        "floating-point numbers", 0.1, 0.05
    )
    assert "values outside 0 to 1 are refused" in notes("floating-point numbers", 255)
    assert "values outside 0 to 4095 are cut to its ends" in notes("16-bit numbers", 60000, value_range=(0, 4095))
    assert "a type without a customary range" in notes("32-bit numbers", 7)
    for kind, high in (("8-bit numbers", 200), ("16-bit numbers", 40000), ("floating-point numbers", 0.9)):
        assert not notes(kind, 0, high)
    assert not notes("16-bit numbers", 4000, value_range=(0, 4095))
    assert not notes_on_range([], None)

"""One photo or many, in memory or in files, is read alike; everything else is refused with the way to give it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from rezsl.data import Crop, FeatureFormat, ImageFormat, as_inputs, read_feature_rows
from rezsl.errors import ArgumentError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
ROWS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def read(inputs: Any, size: int = 8, channels: int = 3) -> torch.Tensor:
    known = as_inputs(inputs)
    return ImageFormat(size, channels).read(known, torch.arange(len(known)))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(PIXELS).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_every_way_to_give_one_photo_is_the_same(photo: Path) -> None:
    expected = read([photo])
    assert expected.shape == (1, 3, 8, 8)
    ways: list[Any] = [
        str(photo), photo, [str(photo)], (photo,), iter([photo]), Crop(photo, (0, 0, 10, 12)),
        Image.open(photo), [Image.open(photo)], Image.fromarray(PIXELS),
    ]  # fmt: skip
    for way in ways:
        assert torch.equal(read(way), expected), way
    arrays: list[Any] = [
        PIXELS, PIXELS[None], PIXELS.transpose(2, 0, 1), PIXELS.transpose(2, 0, 1)[None], [PIXELS],
        torch.from_numpy(PIXELS), torch.from_numpy(PIXELS).permute(2, 0, 1), PIXELS[::-1][::-1],
    ]  # fmt: skip
    decoded = read(torch.from_numpy(PIXELS).permute(2, 0, 1)[None])
    for array in arrays:
        assert torch.equal(read(array), decoded)
    assert len(read([PIXELS, PIXELS])) == 2
    assert read(Image.fromarray(PIXELS), channels=1).shape == (1, 1, 8, 8)
    assert read(PIXELS[:, :, 0]).shape == (1, 3, 8, 8)
    assert as_inputs([]) == []


def test_a_picture_is_turned_and_laid_over_white_as_its_file_is(tmp_path: Path) -> None:
    see_through = np.dstack([PIXELS, np.arange(120, dtype=np.uint8).reshape(12, 10)])
    Image.fromarray(see_through, "RGBA").save(tmp_path / "clear.png")
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=exif)
    for file in ("clear.png", "turned.png"):
        assert torch.equal(read(Image.open(tmp_path / file)), read(tmp_path / file))


def test_inputs_that_have_a_form_stay_as_they_are() -> None:
    images, features = torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(4, 2, 5)
    for inputs in (images, features, [Path("a.png")], (Path("a.png"), Crop(Path("b"), (0, 0, 1, 1)))):
        assert as_inputs(inputs) is inputs


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (3, "inputs: expected the path of a photo .*, got int"),
        ([3], "got a list of int"),
        (["a.png", Image.new("L", (4, 4))], "got a list of str, Image"),
        (np.zeros((4, 4, 4), dtype=np.uint8), "with 1 or 3 channels, got shape .*lay transparency over a colour"),
        (np.zeros((2, 3, 4, 4)), r"expected images of type uint8 from 0 to 255, .*; give \(255 \* images\)"),
        (np.zeros((1, 3, 4, 4), dtype=np.int64), "expected images of type uint8, or features"),
        (np.array(["a"]), "got an array of <U1"),
        ([PIXELS, PIXELS[:5]], "expected arrays of one shape, got .*; give images of different sizes as a list of"),
        (Image.new("F", (4, 4)), "got one of the mode F, of which nothing says which number is white"),
    ],
)
def test_other_things_are_refused_with_the_way(inputs: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        read(inputs)
    assert "\n" not in str(caught.value)


def csv_with(head: str, delimiter: str = ",", comma: str = ".") -> Callable[[Path], None]:
    def save(path: Path) -> None:
        lines = [delimiter.join(f"{number:.9g}".replace(".", comma) for number in row) for row in ROWS.tolist()]
        path.write_text("\n".join([*([head] if head else []), *lines]) + "\n")

    return save


FILES: dict[str, Callable[[Path], Any]] = {
    "rows.npy": lambda path: np.save(path, ROWS),
    "ROWS.NPY": lambda path: path.write_bytes((path.parent / "rows.npy").read_bytes()),
    "one.npz": lambda path: np.savez(path, ROWS),
    "named.npz": lambda path: np.savez(path, labels=np.arange(3), features=ROWS),
    "rows.mat": lambda path: savemat(path, {"features": ROWS.T}),
    "ROWS.MAT": lambda path: savemat(path, {"features": ROWS.T}, appendmat=False),
    "rows.csv": csv_with(""),
    "head.csv": csv_with("a,b,c,d,e"),
    "comma.CSV": csv_with("a;b;c;d;e", ";", ","),
    "tabs.csv": csv_with("", "\t"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_features(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    FILES[name](tmp_path / name)
    np.testing.assert_allclose(read_feature_rows(tmp_path / name), ROWS, rtol=1e-6)
    np.testing.assert_allclose(as_inputs(str(tmp_path / name)), ROWS, rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "file,x\na.png,1\n", "a.csv, line 2: expected features, which are numbers only, got 'a.png'; remove"),
        ("a.csv", "1,2\n3\n", "a.csv, line 2: expected 2 cells, got 1; correct the file"),
        ("a.csv", "", r"a.csv: expected features as N × D numbers"),
        ("a.csv", "1,nan\n", "a.csv: expected finite features, got NaN or infinity in row 0"),
        ("a.txt", "1 2", "a.txt: expected features as .npy, .npz, .mat, .csv, got .txt"),
    ],
)
def test_other_files_of_features_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_feature_rows(tmp_path / name)
    np.savez(tmp_path / "two.npz", a=ROWS, b=ROWS)
    with pytest.raises(DataError, match=r"expected one array, or one with the name 'features', got 'a', 'b'; save it"):
        read_feature_rows(tmp_path / "two.npz")


def test_one_vector_of_any_byte_order_is_a_row() -> None:
    one = as_inputs(ROWS[0].astype(">f8"))
    assert torch.equal(FeatureFormat(5).read(one, torch.arange(1)), torch.from_numpy(ROWS[:1]))

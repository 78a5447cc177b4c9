"""Images that would take all memory, or give their content to another program."""

import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from rezsl.data import find_images, load_image_folder
from rezsl.data._images import MOST_PIXELS, natural_size, read_image
from rezsl.errors import DataError


def png(width: int, height: int, colour: int = 0, depth: int = 8) -> bytes:
    """Return a PNG of zeros whose rows compress to almost nothing; only its first rows are there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(min(1 << 20, (width + 1) * height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((90_000_000, 1), "expected sides of at most 65,535 pixels, got 90000000 × 1; scale it down, or leave it out"),
        ((1, 90_000_000), "expected sides of at most 65,535 pixels, got 1 × 90000000; scale it down, or leave it out"),
        ((65_536, 2), "expected sides of at most 65,535 pixels, got 65536 × 2"),
        ((20_000, 5_001), f"20000 × 5001 pixels, more than {MOST_PIXELS:,}; scale it down"),
        ((2**31 - 1, 2**31 - 1), "a.png"),
        ((0, 5), "a.png"),
    ],
)
@pytest.mark.parametrize("colour", [0, 2, 6])
def test_images_of_too_many_pixels(tmp_path: Path, size: tuple[int, int], message: str, colour: int) -> None:
    (tmp_path / "a.png").write_bytes(png(*size, colour))
    begin = time.process_time()
    with pytest.raises(DataError) as refused:
        read_image(tmp_path / "a.png", 16)
    assert time.process_time() - begin < 1
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_longest_side_is_read(tmp_path: Path) -> None:
    Image.new("L", (65_535, 2), 200).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 4, channels=1).unique().tolist() == [200]


def test_other_programs_are_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    monkeypatch.setattr("os.system", lambda *_: pytest.fail("a program was started"))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(marker) (w) file closefile\nshowpage\n"
    for name in ("a.eps", "a.png", "a.jpg"):
        (tmp_path / name).write_bytes(program)
        with pytest.raises(DataError, match="expected an image, got a file that is none; restore it from a copy, or"):
            read_image(tmp_path / name, 16)
    assert [path.name for path in find_images(tmp_path)] == ["a.jpg", "a.png"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"GIF89a", b"BM" + b"\xff" * 60, b"RIFF\xff\xff\xff\xffWEBP", b"II*\x00\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"<svg/>", b"P6 99999 99999 255\n", b"qoif" + b"\xff" * 10])  # fmt: skip
def test_files_that_are_no_images(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    for read in (lambda path: read_image(path, 16), lambda path: natural_size([path])):
        with pytest.raises(DataError, match=r"^.*a\.png: ") as refused:
            read(tmp_path / "a.png")
        assert "\n" not in str(refused.value)


def folder(root: Path, *rows: str) -> None:
    """Write two classes of photos, a table and a list of splits."""
    for name in ("cat", "dog"):
        (root / "images" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / "images" / name / "0.png")
    (root / "semantics.csv").write_text("class,fur\ncat,1\ndog,2\n")
    (root / "splits.csv").write_text("file,class,split\nimages/dog/0.png,dog,test_unseen\n" + "\n".join(rows) + "\n")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png", "images/../../secret.png", "images/cat/../../../secret.png", "..\\secret.png",
        "images\\..\\..\\secret.png", "{root}/secret.png", "C:\\secret.png", "C:secret.png", "\\\\host\\secret.png", "//host/secret.png", "..",
    ],
)  # fmt: skip
def test_listed_files_lie_in_the_folder(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    name = name.replace("{root}", str(tmp_path))
    folder(tmp_path / "data", f"{name},cat,train")
    with pytest.raises(DataError) as refused:
        load_image_folder(tmp_path / "data")
    name = name.replace("\\", "/")  # tables from Windows are read alike everywhere
    assert str(refused.value) == (
        f"{tmp_path / 'data' / 'splits.csv'}: expected files inside the folder, got {name!r}; copy them into the "
        f"folder, and list them by their path in it"
    )


def test_a_link_and_a_step_back_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "elsewhere" / "cat.png")
    folder(tmp_path / "data", "images/link/../cat.png,cat,train")
    (tmp_path / "data" / "images" / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    with pytest.raises(
        DataError, match=r"expected files inside the folder, got 'images/link/\.\./cat\.png'; copy them"
    ):
        load_image_folder(tmp_path / "data")


def test_listed_files_inside_the_folder_are_read(tmp_path: Path) -> None:
    folder(tmp_path / "data", "./images/dog/../cat/0.png,cat,train")
    assert len(load_image_folder(tmp_path / "data").labels) == 2

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.data import Crop, fit_images, natural_size, read_image, read_images
from rezsl.errors import DataError


def gradient(width: int = 12, height: int = 8) -> Image.Image:
    """Red grows to the right, green downwards."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "tiff", "ppm", "gif", "jpg"])
def test_any_format(tmp_path: Path, suffix: str) -> None:
    gradient().save(tmp_path / f"image.{suffix}")
    image = read_image(tmp_path / f"image.{suffix}", 8)
    assert image.shape == (3, 8, 8)
    expected = read_image_of(gradient(), tmp_path)
    assert (image.float() - expected.float()).abs().mean() < 12  # the lossy formats


def read_image_of(image: Image.Image, folder: Path, size: int = 8, channels: int = 3) -> torch.Tensor:
    image.save(folder / "reference.png")
    return read_image(folder / "reference.png", size, channels)


def test_the_middle_square_is_kept(tmp_path: Path) -> None:
    image = read_image_of(gradient(12, 4), tmp_path, size=4)
    np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), np.asarray(gradient(12, 4))[:, 4:8])


def test_greyscale_alpha_palette_and_16_bit(tmp_path: Path) -> None:
    white = Image.new("RGB", (6, 6), "white")
    clear = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
    assert bool((read_image_of(clear, tmp_path, 6) == 255).all())  # transparency over white, not over black
    assert bool((read_image_of(white.convert("P"), tmp_path, 6) == 255).all())
    assert bool((read_image_of(white.convert("L"), tmp_path, 6) == 255).all())
    deep = Image.fromarray(np.full((6, 6), 32768, dtype=np.uint16))
    assert bool((read_image_of(deep, tmp_path, 6) == 128).all())  # not clipped to white
    assert read_image_of(gradient(), tmp_path, channels=1).shape == (1, 8, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = gradient(8, 8)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    torch.testing.assert_close(read_image(tmp_path / "turned.png", 8), read_image_of(upright, tmp_path))


def test_broken_files_are_named(tmp_path: Path) -> None:
    gradient(64, 64).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("cut.png", "text.png", "empty.jpg"):
        with pytest.raises(DataError, match=f"{name}: .*expected an image.*; restore it from a copy, or leave it out"):
            read_images([tmp_path / "whole.png", tmp_path / name], 8)
    with pytest.raises(DataError, match=r"none\.png: no such file; check the path"):
        read_image(tmp_path / "none.png", 8)


def test_a_decompression_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=r"bomb\.png.*pixels"):
        read_image(tmp_path / "bomb.png", 8)


def test_decoded_images_are_fitted_like_files(tmp_path: Path) -> None:
    image = gradient(40, 32)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
    fitted = fit_images(pixels, 8)
    assert (fitted[0].float() - read_image_of(image, tmp_path).float()).abs().max() <= 3
    grey = fit_images(pixels, 8, channels=1)
    assert (grey[0].float() - read_image_of(image, tmp_path, channels=1).float()).abs().max() <= 3
    torch.testing.assert_close(fit_images(grey, 8, channels=3)[:, 1:2], grey)


def test_the_natural_size_is_the_median_of_the_shorter_sides(tmp_path: Path) -> None:
    for number, size in enumerate((20, 24, 30)):
        gradient(size, size + 4).save(tmp_path / f"{number}.png")
    assert natural_size(sorted(tmp_path.glob("*.png"))) == 24
    assert natural_size(torch.zeros(2, 3, 200, 150, dtype=torch.uint8)) == 150


def test_a_crop_is_where_its_centre_says_at_the_scale_of_the_shorter_side(tmp_path: Path) -> None:
    image = gradient(80, 48)
    image.save(tmp_path / "a.png")
    # By hand: scale the shorter side from 48 to 32, then cut 28 pixels at the left edge, in the middle, at the bottom.
    scaled = torch.from_numpy(np.array(image.resize((round(80 * 32 / 48), 32), Image.Resampling.BILINEAR)))
    for centre, left, top in (((0.0, 0.5), 0, 2), ((0.5, 0.5), 12, 2), ((1.0, 1.0), 25, 4)):
        window = scaled[top : top + 28, left : left + 28].permute(2, 0, 1).float()
        found = read_image(tmp_path / "a.png", 28, resize=32, centre=centre)
        assert (found.float() - window).abs().max() <= 6
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
        fitted = fit_images(pixels, 28, resize=32, centres=torch.tensor([centre]))
        assert (fitted[0].float() - window).abs().max() <= 8
    whole = read_images([tmp_path / "a.png"] * 2, 28, resize=32, centres=torch.tensor([[0.0, 0.5], [1.0, 1.0]]))
    torch.testing.assert_close(whole[0], read_image(tmp_path / "a.png", 28, resize=32, centre=(0.0, 0.5)))
    assert not torch.equal(whole[0], whole[1])


def test_the_whole_image_is_squeezed_into_the_square(tmp_path: Path) -> None:
    image = gradient(80, 48)
    image.save(tmp_path / "a.png")
    # Each pixel of the result covers 10 × 6 pixels of the image.
    blocks = np.array(image, dtype=np.float64).reshape(8, 6, 8, 10, 3).mean(axis=(1, 3))
    expected = torch.from_numpy(blocks).permute(2, 0, 1)
    found = read_images([tmp_path / "a.png"] * 2, 8, centres=torch.tensor([[0.0, 0.0], [1.0, 1.0]]), framing="whole")
    torch.testing.assert_close(found[0], found[1])
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
    for squeezed in (found[0], fit_images(pixels, 8, resize=10, framing="whole")[0]):
        assert squeezed.shape == (3, 8, 8)
        # The filter is a triangle twice as wide as a block, so the corners of a gradient move a little inwards.
        assert (squeezed.double() - expected)[:, 1:-1, 1:-1].abs().max() <= 2
        assert (squeezed.double() - expected).abs().max() <= 8
    torch.testing.assert_close(fit_images(found, 8, resize=10, framing="whole"), found)


def test_a_box_is_cropped_before_anything_is_scaled(tmp_path: Path) -> None:
    whole = gradient(400, 300)
    whole.save(tmp_path / "whole.png")
    crop = Crop(tmp_path / "whole.png", (30, 200, 90, 260))
    torch.testing.assert_close(read_image(crop, 16), read_image_of(whole.crop(crop.box), tmp_path, 16))
    # A large JPEG would be decoded at an eighth of its size, where the box's pixels lie elsewhere.
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)
    noise[96:104, 192:208] = 255
    Image.fromarray(noise).save(tmp_path / "whole.jpg", quality=95)
    assert read_image(Crop(tmp_path / "whole.jpg", (194, 98, 206, 102)), 4, channels=1).min() > 200
    assert natural_size([crop, Crop(crop.path, (0, 0, 40, 50)), Crop(crop.path, (5, 5, 10, 10))]) == 40


def test_a_box_counts_the_pixels_as_stored_and_is_then_turned(tmp_path: Path) -> None:
    stored = gradient(12, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "turned.png", exif=exif)
    part = stored.crop((6, 0, 10, 4)).transpose(Image.Transpose.ROTATE_270)
    torch.testing.assert_close(
        read_image(Crop(tmp_path / "turned.png", (6, 0, 10, 4)), 4), read_image_of(part, tmp_path, 4)
    )


def test_a_box_that_is_empty_or_outside_is_named(tmp_path: Path) -> None:
    gradient(12, 8).save(tmp_path / "a.png")
    with pytest.raises(
        DataError, match=r"a\.png: expected a box inside the image of 12 × 8 pixels, got .*\(2, 0, 13, 8\)"
    ):
        read_images([tmp_path / "a.png", Crop(tmp_path / "a.png", (2, 0, 13, 8))], 8)
    for box in ((5, 0, 5, 8), (-1, 0, 5, 8), (0, 6, 5, 4)):
        with pytest.raises(DataError, match=r"a\.png: expected a box \(left, top, right, bottom\) with 0 ≤ left"):
            Crop(tmp_path / "a.png", box)
    with pytest.raises(DataError, match=r"none\.png: no such file; check the path"):
        read_image(Crop(tmp_path / "none.png", (0, 0, 1, 1)), 8)

"""Tiny directories in the layouts of the official archives, written from the archives' descriptions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat


def image(path: Path, size: tuple[int, int] = (8, 6), brightness: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (brightness,) * 3).save(path)


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def numbered(path: Path, entries: Sequence[str], separator: str = " ") -> Path:
    return text(path, *(f"{number}{separator}{entry}" for number, entry in enumerate(entries, start=1)))


def cells(names: Sequence[str]) -> np.ndarray:
    array = np.empty((len(names), 1), dtype=object)
    array[:, 0] = names
    return array


def one_based(rows: Sequence[int]) -> np.ndarray:
    return np.array(rows, dtype=np.uint16)[:, None] + 1


def proposed(
    folder: Path,
    image_files: Sequence[str],
    of_row: Sequence[int],
    names: Sequence[str] | None,
    unseen: Sequence[int],
    **changes: Any,
) -> Path:
    """``att_splits.mat`` and ``res101.mat``: every other image of a seen class is for training, counting from the first.

    Args:
        image_files: paths of the rows.
        of_row: class of every row, counted from 0.
        names: of the classes, or None to leave them out.
        unseen: numbers of the unseen classes.
        changes: variables of either file to write differently.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[int, list[int]] = {}
    for row, label in enumerate(of_row):
        rows.setdefault(label, []).append(row)
    seen = [row for label, members in rows.items() if label not in unseen for row in members[::2]]
    held_out = [row for label, members in rows.items() if label not in unseen for row in members[1::2]]
    classes = max(of_row) + 1
    split: dict[str, Any] = {
        "att": np.random.default_rng(1).random((7, classes)) + 0.1,
        "trainval_loc": one_based(sorted(seen)),
        "test_seen_loc": one_based(sorted(held_out)),
        "test_unseen_loc": one_based([row for label in unseen for row in rows[label]]),
    }
    if names is not None:
        split["allclasses_names"] = cells(names)
    features: dict[str, Any] = {
        "features": np.ones((2, len(of_row)), dtype=np.float32),
        "image_files": cells(image_files),
        "labels": one_based(of_row).astype(np.float64),
    }
    savemat(folder / "att_splits.mat", {name: changes.get(name, value) for name, value in split.items()})
    savemat(folder / "res101.mat", {name: changes.get(name, value) for name, value in features.items()})
    return folder


BIRDS = (
    "001.Black_footed_Albatross",
    "002.Laysan_Albatross",
    "061.Heermann_Gull",
    "185.Bohemian_Waxwing",
    "197.Marsh_Wren",
)
BIRD_ATTRIBUTES = (
    "has_bill_shape::curved_(up_or_down)",
    "has_bill_shape::dagger",
    "has_upper_tail_color::blue",
    "has_size::large_(16_-_32_in)",
)
ANIMALS = ("antelope", "grizzly+bear", "killer+whale", "beaver", "dalmatian")
PREDICATES = ("black", "furry", "longneck", "smelly", "ocean")
SCENES = (
    "a/abbey",
    "a/access_road",
    "c/church/indoor",
    "c/church/outdoor",
    "l/lean-to",
    "t/theater/indoor_procenium",
)
SCENE_ATTRIBUTES = ("sailing/ boating", "fencing", "trees", "natural light", "natural", "man-made")
OBJECTS = ("aeroplane", "person", "tvmonitor", "donkey", "jetski")
PARTS = ("2D Boxy", "Has Ear", "Metal")


def bird_files() -> list[str]:
    return [f"{name}/{name[4:]}_{number:04d}_{100 * row}.jpg" for row, name in enumerate(BIRDS) for number in range(4)]


def scene_files() -> list[str]:
    return [f"{scene}/sun_{chr(97 + number)}{row}.jpg" for row, scene in enumerate(SCENES) for number in range(4)]

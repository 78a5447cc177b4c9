"""A small world of valid files, one of every kind that rezsl reads, and the ways in which a case breaks one of them."""

import contextlib
import gzip
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from scipy.io import savemat

from rezsl.cli.main import main
from tests.data.archives.writing import cells, one_based

Content = str | bytes | Callable[[Path], object]
"""What a broken file holds, or a function that breaks the file at a path."""

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox")
WORDS = ("fur", "wings", "legs", "stripes")
SMALL = "--classes 8 --attributes 4 --samples 64 --dim 8 --unseen 2 --validation 2"

TABLE = "class,fur,wings,legs,stripes\n" + "".join(
    f"{name},{position % 2},{position / 5},{6 - position},{(position * 7) % 5}\n"
    for position, name in enumerate(CLASSES)
)
PLAN = """datasets:
  toy: {data: {class_path: synthetic, init_args: {classes: 8, attributes: 4, samples: 64, dim: 8, unseen: 2, validation: 2}}}
methods:
  linear: {model: linear}
losses:
  none: {loss: null}
  MSE: {loss: MSELoss}
seeds: [0]
options: {max_epochs: 1}
baseline: {method: linear, loss: MSE}
"""


def build(root: Path) -> None:
    """Write the world into a folder; everything in it is read without an error."""
    before = Path.cwd()
    os.chdir(root)
    try:
        _write_photos(Path("photos"))
        _write_features(Path("xlsa"))
        _write_words()
        Path("table.csv").write_text(TABLE)
        Path("plan.yaml").write_text(PLAN)
        Path("space.yaml").write_text("optimization.learning_rate: {low: 0.001, high: 0.1, log: true}\n")
        Path("options.yaml").write_text("data: digits\nmax_epochs: 1\n")
        Path("a.npy").write_bytes(npy(np.ones((3, 8), np.float32)))
        Path("a.png").write_bytes(photo())
        Path("place.csv").write_text("attribute,y,x,spread\nfur,0.5,0.5,0.2\n")
        Path("p.npz").write_bytes(npz(predictions=np.ones((3, 4)), labels=np.array(["ant", "bee", "cat"])))
        data = "--data synthetic " + SMALL.replace("--", "--data.")
        _command(f"fit {data} --max-epochs 1 --report false --run-dir run")
        _command(f"sweep {data} --max-epochs 1 --space space.yaml --trials 1 -o best.yaml")
        _command(
            "fit --data folder --data.root photos --backbone small_resnet --max-epochs 1 --report false --run-dir seeing --cache cached"
        )
        _command("extract --data folder --data.root photos --backbone small_resnet -o store")
        # A run that was cut off after its first epoch.
        shutil.copytree("run", "unfinished")
        Path("unfinished/metrics.json").unlink()
    finally:
        os.chdir(before)


def _command(line: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as error:
        code = main(line.split())
    assert code == 0, (line, out.getvalue()[-300:], error.getvalue())


def _write_photos(root: Path) -> None:
    rows = ["file,class,group,split"]
    for position, name in enumerate(CLASSES):
        (root / "images" / name).mkdir(parents=True)
        for number in range(4):
            path = root / "images" / name / f"{number}.png"
            path.write_bytes(photo(40 * position, 60 * number))
            split = "test_unseen" if position == 5 else "test_seen" if number == 3 else "train"
            rows.append(f"images/{name}/{number}.png,{name},{name}{number},{split}")
    (root / "semantics.csv").write_text(TABLE)
    (root / "splits.csv").write_text("\n".join(rows) + "\n")


def _write_features(root: Path) -> None:
    root.mkdir()
    labels = np.arange(6).repeat(4)
    names = [f"/x/{CLASSES[label]}/{number}.jpg" for number, label in enumerate(labels)]
    savemat(
        root / "att_splits.mat",
        {
            "att": np.random.default_rng(1).random((4, 6)) + 0.1,
            "allclasses_names": cells(CLASSES),
            "trainval_loc": one_based([row for row in range(20) if row % 4 < 3]),
            "test_seen_loc": one_based(range(3, 20, 4)),
            "test_unseen_loc": one_based(range(20, 24)),
        },
    )
    features = np.random.default_rng(2).random((3, 24))
    savemat(
        root / "res101.mat", {"features": features, "labels": one_based(labels.tolist()), "image_files": cells(names)}
    )


def _write_words() -> None:
    lines = "".join(f"{word} {number}.5 1 2\n" for number, word in enumerate(WORDS))
    Path("words.txt").write_text(lines)
    Path("words.csv").write_text(lines.replace(" ", ","))
    Path("words.txt.gz").write_bytes(gzip.compress(lines.encode()))
    binary = b"".join(word.encode() + b" " + np.ones(3, "<f4").tobytes() + b"\n" for word in WORDS)
    Path("words.bin").write_bytes(b"4 3\n" + binary)
    Path("words.npy").write_bytes(npy(np.ones((4, 3))))
    Path("words.npz").write_bytes(npz(names=np.array(WORDS), vectors=np.ones((4, 3))))


def photo(red: int = 90, green: int = 90, kind: str = "PNG", size: tuple[int, int] = (16, 16)) -> bytes:
    """Return the bytes of an image of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, (red, green, 120)).save(stream, kind)
    return stream.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    """Return the bytes of an array file."""
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    """Return the bytes of an archive of arrays."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def mat(**variables: Any) -> bytes:
    """Return the bytes of a MATLAB file."""
    stream = io.BytesIO()
    savemat(stream, variables)  # type: ignore[arg-type] # open files work, but are not in its stubs
    return stream.getvalue()


def tensors(**parts: torch.Tensor) -> bytes:
    """Return the bytes of a safetensors file."""
    return save(parts)


def gone(path: Path) -> None:
    """Remove a file or a folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def a_folder(path: Path) -> None:
    """Put a folder in the place of a file."""
    gone(path)
    path.mkdir()


def a_pipe(path: Path) -> None:
    """Put a pipe in the place of a file."""
    gone(path)
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    """Put a link to itself in the place of a file."""
    gone(path)
    path.symlink_to(path.name)


def cut(count: int) -> Content:
    """Keep the first bytes of a file; a negative count removes the last ones."""
    return lambda path: path.write_bytes(path.read_bytes()[:count])


def flipped(place: int) -> Content:
    """Change one byte."""

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place] ^= 0xFF
        path.write_bytes(bytes(content))

    return change


def swapped(old: str, new: str) -> Content:
    """Replace a text that occurs in the file."""

    def change(path: Path) -> None:
        text = path.read_text()
        assert old in text, (old, text[:500])
        path.write_text(text.replace(old, new))

    return change


def more(text: str) -> Content:
    """Add a text at the end."""
    return lambda path: path.write_text(path.read_text() + text)


def entry(place: str, value: Any) -> Content:
    """Set an entry of a JSON file, given by its dotted name; ``...`` removes it."""

    def change(path: Path) -> None:
        content = json.loads(path.read_text())
        *folders, name = place.split(".")
        inside = content
        for folder in folders:
            inside = inside[folder]
        if value is ...:
            del inside[name]
        else:
            inside[name] = value
        path.write_text(json.dumps(content))

    return change


def variables(**changed: Any) -> Content:
    """Set variables of a MATLAB file; ``...`` removes one."""

    def change(path: Path) -> None:
        from scipy.io import loadmat  # noqa: PLC0415 - for these cases only

        content = {name: value for name, value in loadmat(path).items() if not name.startswith("__")} | changed
        savemat(path, {name: value for name, value in content.items() if value is not ...})

    return change

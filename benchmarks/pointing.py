"""``python -m benchmarks.pointing``: whether maps of attributes point at the parts that the attributes' names speak of.

Needs a folder of photos with ``parts.csv`` (``file,part,x,y`` in pixels), and the store that ``rezsl extract`` wrote of
it. Models are trained on the store; the maps are made from the photos. Nothing is written.
"""

import argparse
import csv
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import Tensor

from rezsl import load_region_store
from rezsl.classifier import MapKind, ZeroShotClassifier, attribute_maps, model_of_images
from rezsl.data import Benchmark, ImageFormat, load_image_folder
from rezsl.evaluation import Pointing, parts_of_attributes, pointing_accuracy
from rezsl.functional.maps import mean_correlation
from rezsl.models import AttentionNet, MLPRegressor, SemanticModel
from rezsl.semantics import ClassSemantics
from rezsl.training import Setup, Training, train_classifier, with_word_vectors

ModelBuilder = Callable[[int, ClassSemantics], SemanticModel]
MODELS: dict[str, ModelBuilder] = {"mlp": MLPRegressor, "attention": partial(AttentionNet, attention_dim=64)}
KINDS: dict[str, list[MapKind]] = {"mlp": ["gradient"], "attention": ["attention", "gradient"]}
WORDS = {"bill": "beak"}
"""Words of attributes that are another word in the parts' names."""
TOLERANCES = (1 / 14, 3 / 14)
"""Shares of the image's side: 16 and 48 of 224 pixels, half a cell and one and a half cells of a map of 7 × 7."""


def main() -> None:
    """Train each model with each seed, and print the mean and the standard deviation over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="the folder of photos, with parts.csv")
    parser.add_argument("store", type=Path, help="the store of their regions")
    parser.add_argument("--images", choices=("val", "test_unseen"), default="val", help="of classes not trained on")
    parser.add_argument("--most", type=int, default=400, help="photos, spread evenly")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--word-vectors", type=Path, help="of the attributes' names, as queries of attention")
    options = parser.parse_args()
    folder, store = load_image_folder(options.photos), load_region_store(options.store)
    store = with_word_vectors(store, options.word_vectors, None, progress=False)
    index = getattr(folder.split, options.images)
    index = index[torch.linspace(0, len(index) - 1, min(options.most, len(index))).long()]
    learnt = store.split.train if options.images == "val" else store.split.trainval
    rows: dict[str, list[dict[str, Pointing]]] = {}
    alike: dict[str, list[float]] = {}
    for name in options.models:
        for seed in range(options.seeds):
            training = Training(max_epochs=options.epochs, seed=seed)
            setup = Setup(store, MODELS[name], training=training, progress=False)
            model = model_of_images(train_classifier(setup, "pointing", learnt, options.epochs), options.store)
            for kind in KINDS[name]:
                maps, places, parts, parts_of, counted = maps_and_places(model, folder, index, kind, options.photos)
                label = f"{name}, {kind}"
                alike.setdefault(label, []).append(likeness(maps, counted))
                for tolerance in TOLERANCES:
                    found = pointing_accuracy(maps, places, parts, parts_of, counted, tolerance)
                    rows.setdefault(f"{label}, within {tolerance:.3f}", []).append(found)
                print(f"{label}, seed {seed}: done", flush=True)
    print_table(rows, alike, len(index))


def maps_and_places(
    model: ZeroShotClassifier, folder: Benchmark, index: Tensor, kind: MapKind, root: Path
) -> tuple[Tensor, Tensor, list[str], list[tuple[int, ...]], Tensor]:
    """Return a map per photo and part: that of the attribute of this part which the photo's class has most.

    An attribute that less than half of the annotators saw in the class is not counted.
    """
    parts, marks = read_parts(root / "parts.csv")
    groups = parts_of_attributes(folder.semantics.attributes, parts, WORDS)
    named = [group for group in dict.fromkeys(groups) if group]
    columns_of = [torch.tensor([row for row, other in enumerate(groups) if other == group]) for group in named]
    values = folder.semantics.values[folder.labels[index]]
    best = [values[:, columns].max(dim=1) for columns in columns_of]
    columns = torch.stack([columns[found.indices] for columns, found in zip(columns_of, best, strict=True)], dim=1)
    counted = torch.stack([found.values >= 0.5 for found in best], dim=1)
    maps, image_format = [], model.input_format
    assert isinstance(image_format, ImageFormat)
    for part in torch.arange(len(index)).split(16):
        images = image_format.read(folder.inputs, index[part])
        maps.append(
            attribute_maps(model, images, columns[part], "attention" if kind == "attention" else "gradient").maps
        )
    places = torch.full((len(index), len(parts), 2), float("nan"))
    for row, position in enumerate(index.tolist()):
        path = Path(str(folder.inputs[position]))
        for part_row, x, y in marks.get(path.relative_to(root).as_posix(), []):
            with Image.open(path) as photo:
                places[row, part_row] = torch.tensor(seen_at(x, y, photo.size, image_format))
    return torch.cat(maps), places, parts, named, counted


def read_parts(path: Path) -> tuple[list[str], dict[str, list[tuple[int, float, float]]]]:
    """Return the names of all parts, and for each file the number of each visible part and its place in pixels."""
    with path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    parts = sorted({line["part"] for line in lines})
    marks: dict[str, list[tuple[int, float, float]]] = {}
    for line in lines:
        marks.setdefault(line["file"], []).append((parts.index(line["part"]), float(line["x"]), float(line["y"])))
    return parts, marks


def seen_at(x: float, y: float, size: tuple[int, int], image_format: ImageFormat) -> tuple[float, float]:
    """Return a place as shares of the square that the model receives; NaN where it is outside of it."""
    if image_format.framing == "whole":
        return x / size[0], y / size[1]
    square = min(size) * image_format.size / (image_format.resize or image_format.size)
    place = [(at - (side - square) / 2) / square for at, side in zip((x, y), size, strict=True)]
    inside = all(0 <= share < 1 for share in place)
    return (place[0], place[1]) if inside else (float("nan"), float("nan"))


def likeness(maps: Tensor, counted: Tensor) -> float:
    """Return the mean correlation of the maps of different parts in a photo, over photos."""
    found = [mean_correlation(some[chosen]) for some, chosen in zip(maps, counted, strict=True) if chosen.sum() > 1]
    return statistics.fmean(found)


def print_table(rows: dict[str, list[dict[str, Pointing]]], alike: dict[str, list[float]], count: int) -> None:
    """Print the parts as rows, and the maps, the centre and chance as columns."""
    table = Table(box=SIMPLE_HEAD, title=f"pointing accuracy (%) on {count} photos, mean ± sd over seeds")
    for column in ("maps, tolerance as a share of the side", "part", "photos", "maps", "centre", "chance"):
        table.add_column(column, justify="left" if column[0] in "mp" and column not in ("maps", "photos") else "right")
    for label, found in rows.items():
        for number, cells in enumerate(lines_of(found)):
            table.add_row(label if number == 0 else "", *cells)
    Console(width=120).print(table)
    for label, values in alike.items():
        print(f"{label}: mean correlation of a photo's maps {statistics.fmean(values):.2f}")


def lines_of(found: list[dict[str, Pointing]]) -> Iterator[tuple[str, ...]]:
    """The mean over parts, then each part."""
    names = [*found[0]]
    for name in ("all parts, their mean", *names):
        chosen = [name] if name in found[0] else names
        hits = [100 * statistics.fmean(seed[part].hits for part in chosen) for seed in found]
        spread = f" ± {statistics.stdev(hits):.1f}" if len(hits) > 1 else ""
        centre, chance = (
            100 * statistics.fmean(getattr(found[0][part], what) for part in chosen) for what in ("centre", "chance")
        )
        photos = "" if name not in found[0] else str(found[0][name].images)
        yield name, photos, f"{statistics.fmean(hits):.1f}{spread}", f"{centre:.1f}", f"{chance:.1f}"


if __name__ == "__main__":
    main()

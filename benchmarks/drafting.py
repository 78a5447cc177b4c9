"""``python -m benchmarks.drafting``: how drafted tables agree with those of people, and what models reach with them.

Needs a directory of xlsa17 features, or a folder of photos, and a text encoder. Ways of scoring are compared on the
training classes alone; the table of the chosen way is then measured on all classes. With ``--t1`` ESZSL is
trained with each table, on features or on the regions of photos by a frozen network.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rezsl import fit, load_image_folder, load_region_store, load_xlsa17
from rezsl.data import Benchmark
from rezsl.functional.statistics import pearson
from rezsl.models import ESZSL
from rezsl.regions.pretrained import pretrained
from rezsl.semantics import ClassSemantics, describe_classes, draft_semantics, text_of, text_similarities
from rezsl.semantics.drafting import Centering
from rezsl.training import Training

PERMUTATIONS = 1000


def main() -> None:
    """Print the correlations of each way, and the accuracies with each table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a directory of xlsa17, a folder of photos, or a store of its regions")
    parser.add_argument("--text-encoder", required=True)
    parser.add_argument("--kind", default="thing")
    parser.add_argument("--features", default="res101", help="of xlsa17")
    parser.add_argument("--t1", action="store_true", help="also train")
    parser.add_argument("--backbone", help="of photos: the source of a pretrained network")
    parser.add_argument("--cache", help="of photos: where their regions are kept")
    options = parser.parse_args()
    data = _load(options.data, options.features)
    people = data.semantics
    learnt = data.class_names(data.split.train) if len(data.split.train) else data.seen_classes
    out = Console(width=200)
    out.print(_agreement(people.only(learnt), options, all_ways=True, title=f"{len(learnt)} training classes"))
    out.print(_agreement(people, options, all_ways=False, title=f"all {len(people.classes)} classes"))
    rows = people.only(data.seen_classes)
    known = draft_semantics(people.classes, text_encoder=options.text_encoder, kind=options.kind, known=rows)
    unseen = [name for name in people.classes if name not in data.seen_classes]
    table = Table("known rows", *_COLUMNS, title=f"{len(unseen)} classes without photos", box=SIMPLE_HEAD)
    middle = rows.values.double().mean(dim=0)
    for name, values in (("ridge", known.only(unseen).values.double()), ("mean", middle.expand(len(unseen), -1))):
        table.add_row(name, *_correlations(values, people.only(unseen).values.double(), middle))
    out.print(table)
    if options.t1:
        out.print(_accuracies(data, known.only(people.classes), options))


def _load(path: Path, features: str) -> Benchmark:
    if (path / "semantics.csv").exists():
        return load_image_folder(path)
    return load_region_store(path) if (path / "manifest.json").exists() else load_xlsa17(path, features=features)


_COLUMNS = (
    "correlation, all cells",
    "cells less the means of attributes and classes",
    "by chance (sd)",
    "mean over attributes",
    "attributes above 0, %",
)


def _agreement(people: ClassSemantics, options: argparse.Namespace, all_ways: bool, title: str) -> Table:
    table = Table("centering", "texts", *_COLUMNS, title=title, box=SIMPLE_HEAD)
    ways: Iterator[tuple[Centering, bool]] = (
        (centering, prompts) for centering in get_args(Centering) for prompts in (False, True)
    )
    chosen: list[tuple[Centering, bool]] = [("vectors", True)]
    for centering, prompts in ways if all_ways else chosen:
        names, encoder = (people.classes, people.attributes), options.text_encoder
        scores = text_similarities(*names, encoder, kind=options.kind, centering=centering, prompts=prompts)
        table.add_row(centering, "several" if prompts else "names", *_correlations(scores, people.values.double()))
    return table


def _correlations(found: torch.Tensor, people: torch.Tensor, middle: torch.Tensor | None = None) -> list[str]:
    """Return the correlations; those less the means are compared with 1000 orders of the classes."""
    apart, wanted = _centered(found), _centered(people)
    generator = torch.Generator().manual_seed(0)
    orders = torch.stack([torch.randperm(len(people), generator=generator) for _ in range(PERMUTATIONS)])
    chance = torch.stack([_pearson(apart[order], wanted) for order in orders])
    by_attribute = pearson(found, people)
    by_attribute = by_attribute[~by_attribute.isnan()]
    share = f"{100 * float((by_attribute > 0).double().mean()):.0f}" if len(by_attribute) else ""
    mean = f"{float(by_attribute.mean()):.3f}" if len(by_attribute) else ""
    whole, less = (f"{float(_pearson(*pair)):.3f}" for pair in ((found, people), (apart, wanted)))
    return [whole, less, f"{float(chance.std()):.3f}", mean, share]


def _pearson(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return pearson(left.reshape(-1, 1), right.reshape(-1, 1)).squeeze()


def _centered(values: torch.Tensor) -> torch.Tensor:
    return values - values.mean(dim=0) - values.mean(dim=1, keepdim=True) + values.mean()


def _accuracies(data: Benchmark, known: ClassSemantics, options: argparse.Namespace) -> Table:
    people = data.semantics
    draft = draft_semantics(people.classes, people.attributes, options.text_encoder, kind=options.kind)
    texts = {name: f"a photo of a {text_of(name.partition('.')[2] or name)}" for name in people.classes}
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(people.classes), generator=generator)
    tables: dict[str, ClassSemantics] = {
        "by people": people,
        "people for seen classes, drafted from them for the others": known,
        "vectors of class names": describe_classes(texts, options.text_encoder),
        "drafted from names": draft,
        "by people, rows in another order": replace(people, values=people.values[order]),
    }
    network = None
    if options.backbone is not None:
        network = partial(pretrained, source=options.backbone, pooling="mean", framing="crop")
    rows = Table("table", "T1", "U", "S", "H", title="ESZSL, %", box=SIMPLE_HEAD)
    training = Training(accelerator="cpu", folds=1, centered=False, mixup=0.0)
    for name, semantics in tables.items():
        plain = replace(semantics, word_vectors=None, groups=None, places=None, notes=(), drafted="")
        own = replace(data, semantics=plain, notes=())
        result = fit(own, ESZSL, network, training, cache=options.cache, progress=False)
        assert result.test is not None
        metrics = result.test.metrics()
        rows.add_row(name, *(f"{100 * metrics[metric]:.1f}" for metric in ("T1", "U", "S", "H")))
    return rows


if __name__ == "__main__":
    main()

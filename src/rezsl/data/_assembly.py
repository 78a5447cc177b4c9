"""What an archive holds, and a split, to a benchmark."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._archive import Unpacked
from rezsl.data._benchmark import Benchmark
from rezsl.data._held_out import hold_out_classes, hold_out_samples
from rezsl.data._images import Crop
from rezsl.data._joining import join_split
from rezsl.data._split import Split
from rezsl.data._split_file import read_proposed_split
from rezsl.data._text_files import naming
from rezsl.errors import name_some
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, eq=False)
class Contents:
    """What an archive says of its own, before any split.

    Attributes:
        here: the archive in the user's directory.
        inputs: image files or boxes in them.
        files: path of every input within the archive, as far as it is joined with a split.
        labels: class of every input, ``[N]``.
        semantics: the classes' semantics.
        groups: number of the object that an input shows, ``[N]``, or None.
        notes: what was decided in reading.
    """

    here: Unpacked
    inputs: list[Path | Crop]
    files: list[str]
    labels: Int[Tensor, "N"]
    semantics: ClassSemantics
    groups: Int[Tensor, "N"] | None = None
    notes: tuple[str, ...] = ()

    def benchmark(self, split: Split, notes: tuple[str, ...]) -> Benchmark:
        """With a split: the benchmark.

        Raises:
            DataError: they do not go together; begins with the directory.
        """
        notes = (*self.here.archive.shortfall(len(self.inputs), len(self.semantics.classes)), *self.notes, *notes)
        with naming(self.here.root):
            return Benchmark(
                self.here.archive.title, self.inputs, self.labels, self.semantics, split, self.groups, notes=notes
            )


def with_split(contents: Contents, splits: str | Path | None, seed: int, agreeing: int) -> Benchmark:
    """Under the proposed split where its files are given or lie beside, otherwise under one drawn by a seed.

    Args:
        contents: the archive.
        splits: xlsa17's split file or its directory; None looks in and beside the archive.
        seed: of the draws where there is no proposed split.
        agreeing: how many of the last parts of an image's paths must be equal on both sides.
    """
    place = contents.here.find_splits() if splits is None else Path(splits)
    if place is None:
        return contents.benchmark(*drawn_split(contents, seed))
    proposed = read_proposed_split(place)
    names = contents.semantics.classes
    labelled = [names[label] for label in contents.labels.tolist()]
    split = join_split(proposed, contents.here.root, contents.files, labelled, agreeing)
    return contents.benchmark(split, (split_note(proposed.split_path), *of_split_only(proposed.notes)))


def split_note(path: Path) -> str:
    """Says which split a benchmark has."""
    return f"proposed split of {path}"


def of_split_only(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes on a split file without those on its semantics, where the archive's own are used."""
    return tuple(note for note in notes if "class semantics" not in note)


def drawn_split(contents: Contents, seed: int) -> tuple[Split, tuple[str, ...]]:
    """Whole classes held out by a seed, in the proposed split's shares; a fifth of each seen class is tested on."""
    archive, labels = contents.here.archive, contents.labels
    with naming(contents.here.root):
        seen, unseen = hold_out_classes(torch.arange(len(labels)), labels, archive.unseen / archive.classes, seed)
        trainval, test_seen = hold_out_samples(seen, labels, contents.groups, share=0.2, seed=seed)
        share = archive.validation / (archive.classes - archive.unseen)
        train, val = hold_out_classes(trainval, labels, share, seed)
    unseen_names, val_names = (
        [contents.semantics.classes[row] for row in labels[index].unique().tolist()] for index in (unseen, val)
    )
    return Split(trainval, test_seen, unseen, train, val), (
        f"no proposed split: seed {seed} drew {len(unseen_names)} unseen classes ({name_some(unseen_names)}), "
        f"{len(val_names)} validation classes, and a fifth of each seen class's images to test on",
    )

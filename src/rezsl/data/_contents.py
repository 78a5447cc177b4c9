"""The contents of an archive, and the benchmark that they and a split make."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.data._archive import Unpacked
from rezsl.data._benchmark import Benchmark
from rezsl.data._held_out import draw_split
from rezsl.data._images import Crop
from rezsl.data._joining import join_split
from rezsl.data._split import Split
from rezsl.data._split_file import read_proposed_split
from rezsl.data._text_files import naming
from rezsl.errors import name_some
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, eq=False)
class Contents:
    """The contents of an archive, before any split.

    Attributes:
        here: the archive in the user's directory.
        inputs: image files or boxes in them.
        files: path of every input within the archive, from which it is joined with a split.
        labels: class of every input, ``[N]``.
        semantics: the class semantics.
        groups: number of the object that an input shows, ``[N]``, or None.
        notes: decisions made in reading, one sentence each.
    """

    here: Unpacked
    inputs: list[Path | Crop]
    files: list[str]
    labels: Int[Tensor, "N"]
    semantics: ClassSemantics
    groups: Int[Tensor, "N"] | None = None
    notes: tuple[str, ...] = ()

    def benchmark(self, split: Split, notes: tuple[str, ...]) -> Benchmark:
        """Return the benchmark under a split; an error begins with the directory."""
        archive = self.here.archive
        notes = (*archive.shortfall(len(self.inputs), len(self.semantics.classes)), *self.notes, *notes)
        with naming(self.here.root):
            return Benchmark(archive.title, self.inputs, self.labels, self.semantics, split, self.groups, notes=notes)

    def with_split(self, splits: str | Path | None, seed: int, agreeing: int) -> Benchmark:
        """Return the benchmark under the proposed split if it exists, otherwise under a split drawn by a seed.

        Args:
            splits: xlsa17's split file or its directory; None searches for it in and beside the archive.
            seed: seed of the draws if there is no proposed split.
            agreeing: how many of the last parts of an image's paths must be equal on both sides.
        """
        place = self.here.find_splits() if splits is None else Path(splits)
        if place is None:
            return self.with_drawn_split(seed)
        proposed = read_proposed_split(place)
        labelled = [self.semantics.classes[label] for label in self.labels.tolist()]
        split = join_split(proposed, self.here.root, self.files, labelled, agreeing)
        # The archive's own class semantics are used, so notes on those of the split file do not apply.
        notes = (note for note in proposed.notes if "class semantics" not in note)
        return self.benchmark(split, (split_note(proposed.split_path), *notes))

    def with_drawn_split(self, seed: int) -> Benchmark:
        """Return the benchmark under a split that a seed draws, with the published numbers of classes as shares."""
        archive = self.here.archive
        unseen_share = archive.unseen / archive.classes
        validation_share = archive.validation / (archive.classes - archive.unseen)
        with naming(self.here.root):
            split = draw_split(self.labels, self.groups, unseen_share, validation_share, seed)
        unseen, validation = (
            [self.semantics.classes[row] for row in self.labels[index].unique().tolist()]
            for index in (split.test_unseen, split.val)
        )
        note = (
            f"no proposed split: seed {seed} drew {len(unseen)} unseen classes ({name_some(unseen)}), "
            f"{len(validation)} validation classes, and a fifth of each seen class's images to test on"
        )
        return self.benchmark(split, (note,))


def split_note(path: Path) -> str:
    """Return the note on the split of a benchmark."""
    return f"proposed split of {path}"


def class_means(labels: Int[Tensor, "N"], values: Float[Tensor, "N S"], class_count: int) -> Float[Tensor, "C S"]:
    """Return the mean of the rows of each class; every class must have one."""
    sums = torch.zeros(class_count, values.shape[1], dtype=values.dtype).index_add(0, labels, values)
    return sums / labels.bincount(minlength=class_count).unsqueeze(1)

"""Handwritten digits: a real benchmark of 1,797 images that is part of scikit-learn."""

from collections.abc import Sequence
from pathlib import Path

import torch

from rezsl.data._benchmark import Benchmark, Split
from rezsl.data._readers import reader
from rezsl.errors import ArgumentError, needs
from rezsl.semantics import ClassSemantics, with_places


@reader("digits")
def load_digits(unseen: Sequence[int] = (2, 5, 8), validation: Sequence[int] = (1, 4)) -> Benchmark:
    """Scikit-learn's digits (8 × 8 pixels) with 51 attributes: places of ink, strokes, loops, openings, symmetry.

    The table was written from how digits are drawn, not from the images: 35 attributes are the dots of a 7 × 5
    dot-matrix glyph, blurred by one dot, each with its place in an image whose middle two thirds the glyph fills.

    By rule, every third digit is unseen (2, 5, 8), and the first two of those before them are the validation classes
    (1, 4); a loop in the upper and one in the lower half then occur among the training digits (9, 6). The last fifth of
    each seen digit's images is ``test_seen``: the images are ordered by writer, so most of those writers are new.

    Args:
        unseen: the digits without training images.
        validation: the digits held out in the selection stage; if there are none, a seed chooses them.
    """
    with needs("estimators", "the handwritten digits"):
        from sklearn.datasets import load_digits as load_images  # noqa: PLC0415 - a second of import for this function only

    unseen, validation = sorted(set(unseen)), sorted(set(validation))
    if not 0 < len(unseen) < 10 or not set(unseen) <= set(range(10)):
        raise ArgumentError(f"unseen: expected at least one digit of 0 to 9, and not all, got {unseen}")
    if not set(validation) <= set(range(10)) - set(unseen):
        raise ArgumentError(
            f"validation: expected digits that are not unseen, got {validation}; leave the unseen digits out"
        )
    raw = load_images()
    labels = torch.from_numpy(raw.target).to(torch.int64)
    images = torch.from_numpy(raw.images * (255 / 16)).round().to(torch.uint8).unsqueeze(1)

    is_unseen = torch.isin(labels, torch.tensor(unseen))
    held_out = torch.zeros_like(is_unseen)
    for digit in range(10):
        index = (labels == digit).nonzero().squeeze(1)
        held_out[index[-(len(index) // 5) :]] = True
    is_validation = torch.isin(labels, torch.tensor(validation, dtype=torch.int64))
    folder = Path(__file__).parent
    semantics = with_places(ClassSemantics.from_csv(folder / "digits-semantics.csv"), folder / "digits-places.csv")
    return Benchmark("digits", images, labels, semantics, Split.from_masks(is_unseen, held_out, is_validation))

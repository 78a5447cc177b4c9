"""Numbers that stand in help and pages, because readers need them there, are those of the code."""

from pathlib import Path

import pytest

from rezsl.cli._screens import SCREENS
from rezsl.functional.familiarity import KEPT_SHARE
from rezsl.training import AUTO_FOLDS, FEW_CLASSES, KEPT, SMALL_PIXELS, Training

ROOT = Path(__file__).parents[2]
WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("README.md", f"Photos of more than {SMALL_PIXELS} pixels"),
        ("docs/tutorial.md", f"Images of at most {SMALL_PIXELS} pixels"),
        ("docs/how-to/own-data.md", f"Images of more than {SMALL_PIXELS} pixels"),
        ("docs/how-to/backbones.md", f"of at most {SMALL_PIXELS} pixels"),
        ("docs/how-to/own-data.md", f"The limit keeps {100 * KEPT_SHARE:.0f} % of those that are recognised"),
        ("docs/how-to/own-data.md", f"{100 * KEPT:.0f} % of the right training photos stay right"),
        ("docs/mathematics.md", f"is still {100 * KEPT:.0f} % of its highest value"),
        ("docs/mathematics.md", f"With fewer than {WORDS[FEW_CLASSES]} validation classes per fold"),
        ("docs/how-to/own-data.md", f"with fewer than {WORDS[FEW_CLASSES]} validation classes"),
        ("docs/how-to/own-data.md", f"{WORDS[AUTO_FOLDS].capitalize()} class folds"),
    ],
)
def test_numbers_of_pages(page: str, sentence: str) -> None:
    assert sentence in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def test_numbers_of_help() -> None:
    of_training = " ".join(str(Training.__doc__).split())
    assert f"fewer than {FEW_CLASSES} validation classes" in of_training
    assert f"``auto`` takes {AUTO_FOLDS} folds" in of_training
    assert f"default above {SMALL_PIXELS} pixels" in SCREENS["fit"].options["--backbone NAME"]

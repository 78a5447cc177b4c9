"""Bins of numbers: of equal width, or of about equally many."""

from typing import Literal

Binning = Literal["equal_width", "equal_count"]

"""Measures that other fields expect: the five best classes, F1, and how well each attribute is found."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from rezsl.metrics.basic import define_percentage


def _measured(name: str) -> Callable[[Any], float | None]:
    """Make a function that reads one of an evaluation's measures; None where its samples were not kept."""

    def read(evaluation: Any) -> float | None:
        measures = evaluation.measures
        value: float | None = None if measures is None else attrgetter(name)(measures)
        return value

    return read


for _name, _title, _which in (
    ("U_top5", "U top-5", "unseen classes whose class is among the five best of all classes"),
    ("S_top5", "S top-5", "seen classes whose class is among the five best of all classes"),
    ("T1_top5", "T1 top-5", "unseen classes whose class is among the five best of the unseen classes"),
):
    define_percentage(
        _name, _title, f"Share of the images of {_which}, averaged over classes; without a value where there are no "
        "more than five candidates.",
        _measured(_name.lower()), source="samples", better="up", shown_in=("page",), optional=True,
    )  # fmt: skip
define_percentage(
    "H_top5", "H top-5", "Harmonic mean of S top-5 and U top-5.",
    _measured("h_top5"), source="samples", better="up", shown_in=("page",), optional=True,
)  # fmt: skip
for _name in ("seen", "unseen"):
    define_percentage(
        f"F1_{_name}", f"F1 {_name}", f"F1 of the {_name} classes among all classes, averaged over classes; unlike the "
        "accuracy it also falls where images of other classes are taken for them.",
        _measured(f"f1_{_name}"), source="samples", better="up", shown_in=("page",),
    )  # fmt: skip
define_percentage(
    "attribute_AP", "mAP", "Average precision of the attributes, averaged over attributes, where the table is binary.",
    _measured("mean_average_precision"), source="samples", better="up", shown_in=("page",), optional=True,
)  # fmt: skip
define_percentage(
    "attribute_AUC", "mAUC", "Area under the ROC curve of the attributes, averaged over attributes, where the table is "
    "binary; 50 % at random.",
    _measured("mean_area_under_roc"), source="samples", better="up", shown_in=("page",), optional=True,
)  # fmt: skip
define_percentage(
    "attribute_R2", "R²", "Share of an attribute's variance over classes that its predictions explain, as rows of "
    "length 1; median over attributes.",
    attrgetter("median_r_squared"), source="samples", better="up", shown_in=("page",), optional=True,
)  # fmt: skip

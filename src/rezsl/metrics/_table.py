"""The table of metrics: the name of each, how it is shown, and how it is read from an evaluation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rezsl.errors import ArgumentError

Source = Literal["evaluation", "samples", "analysis", "run"]
Place = Literal["history", "table", "comparison", "page"]

PLACES: dict[Source, tuple[Place, ...]] = {
    "evaluation": ("history", "table", "comparison", "page"),
    "samples": ("page",),
    "analysis": ("page",),
    "run": ("comparison",),
}
"""The places that can show the metrics of a source, because they have what such metrics are read from."""

METRICS: dict[str, "Metric"] = {}
"""Every metric by its name, in the order in which the tables show them."""


@dataclass(frozen=True)
class Metric:
    """One number that describes a trained model.

    Attributes:
        name: key in ``metrics.json``.
        title: short symbol or word of the field, which stands above a column.
        description: one sentence that defines the metric.
        read: computes the value from the object that ``source`` names; None where the object has no such metric.
        source: which object ``read`` takes: every ``evaluation`` (:class:`rezsl.Evaluation`), one with its ``samples``
            (in metrics.json, but not after each epoch, because it takes longer), only an ``analysis``, or the record of
            a ``run``, which is the content of its metrics.json.
        unit: of a shown value; empty for pure numbers.
        factor: by which a value is multiplied before it is shown.
        digits: after the decimal point of a shown value.
        better: direction in which the metric improves.
        shown_in: ``history`` (history.csv), ``table`` (of one run in the terminal), ``comparison`` (all tables of
            ``rezsl compare``), ``page`` (the first table of a report). Metrics of ``samples`` and of an ``analysis``
            can be shown on the page alone, and one of a ``run`` in comparisons alone.
        tested: whether comparisons test the difference from the baseline and plot the metric.
        optional: whether comparisons leave the metric out where no run has it.
        choice: attribute of :class:`rezsl.training.Choice` with the validation value, which makes the metric an
            objective of a sweep; empty for the other metrics.
    """

    name: str
    title: str
    description: str
    read: Callable[[Any], float | None]
    source: Source = "evaluation"
    unit: str = ""
    factor: float = 1.0
    digits: int = 2
    better: Literal["up", "down", "neither"] = "neither"
    shown_in: tuple[Place, ...] = ()
    tested: bool = False
    optional: bool = False
    choice: str = ""

    def __post_init__(self) -> None:
        if wrong := [place for place in self.shown_in if place not in PLACES[self.source]]:
            raise ArgumentError(
                f"shown_in: expected {' or '.join(PLACES[self.source])} for {self.name!r}, which is read from the "
                f"{self.source}, got {wrong[0]!r}; leave it out"
            )

    def show(self, value: float, signed: bool = False) -> str:
        """Format a value without its unit; an undefined value becomes a dash."""
        return "–" if math.isnan(value) else f"{self.factor * value:{'+' if signed else ''}.{self.digits}f}"


def define_metric(name: str, title: str, description: str, read: Callable[[Any], float | None], **options: Any) -> None:
    """Add a metric to :data:`METRICS`; the options are the other attributes of :class:`Metric`.

    A name that is taken, or a place that cannot show a metric of this source, is an ArgumentError.
    """
    if name in METRICS:
        raise ArgumentError(f"name: expected a new name of a metric, got {name!r}, which is taken; choose another one")
    METRICS[name] = Metric(name, title, description, read, **options)


def metrics_in(place: Place) -> tuple[Metric, ...]:
    """Return the metrics that are shown in a place, in the order of the table."""
    return tuple(metric for metric in METRICS.values() if place in metric.shown_in)


def read_metrics(result: object, *sources: Source) -> dict[str, float]:
    """Read all metrics of some sources that an evaluation, an analysis or the record of a run has, by name."""
    found = {name: metric.read(result) for name, metric in METRICS.items() if metric.source in sources}
    return {name: float(value) for name, value in found.items() if value is not None}

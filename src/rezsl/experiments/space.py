"""The space of a search: options of ``rezsl fit`` by their dotted names, each with a range or a list of choices."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rezsl.errors import ArgumentError

if TYPE_CHECKING:
    from optuna import Trial

Number = int | float


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low: lowest number. If ``low``, ``high`` and ``step`` are whole, only whole numbers are drawn.
        high: highest number, above ``low``.
        log: whether numbers are drawn uniformly in the logarithm; then ``low`` is above 0.
        step: distance between the numbers that are drawn; None for all numbers.
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    def __post_init__(self) -> None:
        low, high, step = self.low, self.high, self.step
        if low >= high:
            raise ArgumentError(f"expected low below high, got {low} to {high}; the range is empty")
        if self.log and (low <= 0 or step is not None):
            raise ArgumentError(f"expected low above 0 and no step with log, got low {low}, step {step}")
        if step is not None and not 0 < step <= high - low:
            raise ArgumentError(f"expected a step above 0 and at most high - low, got {step}")
        if step is not None and not math.isclose((high - low) / step, round((high - low) / step)):
            raise ArgumentError(f"expected high to be low plus whole steps, got {low} to {high} in steps of {step}")

    @property
    def samples(self) -> tuple[Any, ...]:
        """Values such that an option that accepts them accepts all."""
        return (self.low, self.high)

    def suggest(self, name: str, trial: "Trial") -> Any:
        """Draw the value for a trial."""
        low, high, step = self.low, self.high, self.step
        if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
            return trial.suggest_int(name, low, high, step=step or 1, log=self.log)
        return trial.suggest_float(name, low, high, step=step, log=self.log)

    def __str__(self) -> str:
        kind = ", logarithmic" if self.log else f", in steps of {self.step}" if self.step else ""
        return f"{self.low} to {self.high}{kind}"


@dataclass(frozen=True)
class Choices:
    """At least two different values, of any types that YAML has."""

    samples: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.samples) < 2:
            raise ArgumentError(f"expected at least two choices, got {_shown(self.samples)}; set it in the run instead")
        if any(value in self.samples[:place] for place, value in enumerate(self.samples)):
            raise ArgumentError(f"expected choices that differ, got {_shown(self.samples)}")

    def suggest(self, name: str, trial: "Trial") -> Any:
        """Draw the value for a trial."""
        # A study stores only text, numbers, booleans and None, so all values are stored as JSON.
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in self.samples]))

    def __str__(self) -> str:
        return ", ".join(map(str, self.samples))


SearchSpace = dict[str, Range | Choices]


def read_space(content: object, source: str) -> SearchSpace:
    """Make a search space from the content of a YAML file: ``name: {low, high, log, step}`` or ``name: [choices]``.

    An entry that is neither a range nor a list, or has only one value, is an :class:`ArgumentError`, which names it
    after ``source``.
    """
    if not isinstance(content, Mapping) or not content:
        raise ArgumentError(
            f"{source}: expected options with ranges or lists of choices, got {_shown(content)}; add some"
        )
    return {str(name): _entry(entry, f"{source}: {name}") for name, entry in content.items()}


def _entry(entry: object, where: str) -> Range | Choices:
    try:
        if isinstance(entry, list):
            return Choices(tuple(entry))
        if isinstance(entry, Mapping) and {"low", "high"} <= set(entry) <= {"low", "high", "log", "step"}:
            return _range(**entry)
    except ArgumentError as error:
        correct = "" if ";" in str(error) else "; correct it"
        raise ArgumentError(f"{where}: {error}{correct}") from error
    raise ArgumentError(
        f"{where}: expected {{low, high}}, optionally with log or step, or a list of choices, got {_shown(entry)}; "
        f"correct it"
    )


def _range(low: Any, high: Any, log: Any = None, step: Any = None) -> Range:
    for name, number in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ArgumentError(f"expected {name} to be a number, got {_shown(number)}")
    if log not in (None, True, False):
        raise ArgumentError(f"expected log to be true or false, got {_shown(log)}")
    return Range(low, high, bool(log), step)


def _shown(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"

"""What a model answers: candidate classes, the best first."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rezsl.errors import DataError


class Ranked(NamedTuple):
    """A candidate class for one input.

    Attributes:
        name: name of the class.
        score: calibrated score.
        probability: softmax over all candidates of the calibrated scores, divided by the model's temperature.
        seen: whether the model was trained on images of this class.
    """

    name: str
    score: float
    probability: float
    seen: bool


def problem_of(name: str, classes: Sequence[Ranked]) -> str:
    """Return why the best classes of the input of a name are no answer, in one sentence; empty where they are one.

    A number of the input or the model that is too large makes scores that are not finite, by which no class is better.
    """
    best = classes[0]
    if math.isfinite(best.score) and math.isfinite(best.probability):
        return ""
    return (
        f"{name}: expected a finite score and probability, got {best.score:.4g} and {best.probability:.4g} for "
        f"{best.name!r}; give an input such as the model was trained on, or restore the model from a copy"
    )


class Answer(list[Ranked]):
    """The best classes of one input, the best first.

    Attributes:
        strangeness: how unlike all training images and class descriptions the input is, in standard deviations of
            familiar images beyond the limit up to which inputs are accepted; NaN where the model has no limit.
        problem: why the input cannot be read or has no finite scores, in one sentence; empty for an answer. Such an
            input has no classes.
    """

    def __init__(self, classes: Iterable[Ranked], strangeness: float = math.nan, problem: str = "") -> None:
        super().__init__(classes)
        self.strangeness, self.problem = strangeness, problem

    @property
    def far(self) -> bool:
        """Whether the input is far from every description: its strangeness is above 0."""
        return self.strangeness > 0


def answers_in_order(
    names: Sequence[str],
    ranked: Sequence[Sequence[Ranked]],
    strangeness: Sequence[float],
    problems: Mapping[int, str],
    skip: bool,
) -> list[Answer]:
    """Return an answer for each input, in the order of the inputs.

    Args:
        names: of all N inputs.
        ranked: the best classes of each input that was read; these are fewer than N where some have problems.
        strangeness: of each input that was read.
        problems: why the other inputs were not read, by their position.
        skip: whether an input without an answer is described in ``problem``, and is no error.

    Raises:
        DataError: an input has no answer, unless such inputs are skipped.
    """
    read = iter(zip(ranked, strangeness, strict=True))
    answers = list[Answer]()
    for place, name in enumerate(names):
        classes, value = ([], math.nan) if place in problems else next(read)
        problem = problems.get(place, "") or problem_of(name, classes)
        if problem and not skip:
            raise DataError(problem)
        answers.append(Answer([], problem=problem) if problem else Answer(classes, value))
    return answers

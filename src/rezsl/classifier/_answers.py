"""What a model answers: candidate classes, the best first."""

import math
from collections.abc import Iterable
from typing import NamedTuple


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


class Answer(list[Ranked]):
    """The best classes of one input, the best first.

    Attributes:
        strangeness: how unlike all training images and class descriptions the input is, in standard deviations of
            familiar images beyond the limit up to which inputs are accepted; NaN where the model has no limit.
        problem: why the input cannot be read, in one sentence; empty for an answer. Such an input has no classes.
    """

    def __init__(self, classes: Iterable[Ranked], strangeness: float = math.nan, problem: str = "") -> None:
        super().__init__(classes)
        self.strangeness, self.problem = strangeness, problem

    @property
    def far(self) -> bool:
        """Whether the input is far from every description: its strangeness is above 0."""
        return self.strangeness > 0

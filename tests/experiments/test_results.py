import math
from pathlib import Path

import numpy as np
import pytest

from rezsl.errors import RunDirectoryError
from rezsl.experiments.results import COMPARED, _read_metrics, p_value
from rezsl.files import write_json


def test_the_paired_t_test_is_the_one_of_the_books() -> None:
    ours, theirs = [5.0, 6.0, 9.0], [4.0, 4.0, 6.0]
    # t of the differences 1, 2, 3 is 2 / (1/√3); with two degrees of freedom p = 1 − t/√(2 + t²).
    t = 2 * math.sqrt(3)
    assert p_value(ours, theirs) == pytest.approx(1 - t / math.sqrt(2 + t**2))


def test_wilcoxon_counts_signs_and_ranks() -> None:
    assert p_value([2.0, 4.0, 7.0, 9.0, 20.0], [1.0, 2.0, 4.0, 5.0, 9.0], "wilcoxon") == pytest.approx(2 / 2**5)


def test_what_cannot_be_told_is_not() -> None:
    assert math.isnan(p_value([1.0, 2.0], [3.0, 5.0]))
    assert math.isnan(p_value([1.1, 2.1, 3.1], [1.0, 2.0, 3.0]))  # the same difference each time
    assert p_value([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0


def test_chance_alone_is_called_significant_as_often_as_it_should() -> None:
    draws = np.random.default_rng(0).normal(size=(400, 2, 5))
    share = np.mean([p_value(ours.tolist(), theirs.tolist()) < 0.05 for ours, theirs in draws])
    assert 0.02 < share < 0.08


def test_a_metric_that_is_newer_than_a_run_is_not_known_of_it(tmp_path: Path) -> None:
    test = {"protocol": "honest", "caution": "care", "H": 0.5, "S": None}
    write_json(tmp_path / "metrics.json", {"test": test, "seconds": 2})
    values, record = _read_metrics(tmp_path / "metrics.json")
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    assert known == {"H": 0.5, "seconds": 2.0}
    assert values.keys() == {metric.name for metric in COMPARED}
    assert record == test
    write_json(tmp_path / "metrics.json", {"test": {}, "seconds": 2})
    with pytest.raises(
        RunDirectoryError, match=r"metrics\.json: expected the metrics of a run, got a damaged file .*run it"
    ):
        _read_metrics(tmp_path / "metrics.json")

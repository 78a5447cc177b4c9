import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from rezsl.errors import ArgumentError
from rezsl.evaluation import Analysis, compare_analyses
from rezsl.evaluation._comparison import holm
from rezsl.functional.statistics import bootstrap_weights
from tests.evaluation.conftest import QUICK
from tests.oracles import analysis_errors as oracle

Analysed = Callable[..., Analysis]


def test_differences_are_paired_by_name(analysed: Analysed) -> None:
    models = {"poor": analysed(0.5), "good": analysed(0.2), "better": analysed(0.15, seed=1)}
    found = compare_analyses(models, QUICK)
    assert found.names == ("poor", "good", "better")
    assert found.metrics["good"]["T1"] == models["good"].t1
    assert len(found.differences) == 8 * 3
    pairs = found.of("attribute_error")
    assert [(one.first, one.second) for one in pairs] == [("poor", "good"), ("poor", "better"), ("good", "better")]
    for one in pairs:
        expected = models[one.second].attribute_errors.mean - models[one.first].attribute_errors.mean
        torch.testing.assert_close(one.difference, expected)
        assert one.names == tuple("uvwxyz")
        assert one.mean == pytest.approx(expected.mean().item())
        draws = [
            oracle.mean(oracle.resampled(expected.numpy(), times)) for times in bootstrap_weights(6, 50, 0).numpy()
        ]
        assert (one.low, one.high) == pytest.approx(oracle.interval(draws, 0.95))
        assert one.p_value == pytest.approx(wilcoxon(expected.numpy()).pvalue)
        assert one.lower_share == (expected < 0).double().mean().item()
    assert pairs[0].high < 0
    assert [one.p_value_holm for one in pairs] == pytest.approx(holm([one.p_value for one in pairs]))
    unseen = found.of("unseen_class_accuracy")[0]
    assert unseen.names == ("c8", "c9", "c10")  # c11 has no samples
    assert unseen.paired_by == "classes"
    absolute = found.of("absolute_correlation_over_classes")[0]
    values = [models[name].correlation_over_classes.pearson.value.abs() for name in ("poor", "good")]
    torch.testing.assert_close(absolute.difference, values[1] - values[0])
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["names"] == ["poor", "good", "better"]


def test_a_model_does_not_differ_from_itself(analysed: Analysed) -> None:
    found = compare_analyses({"a": analysed(0.3), "b": analysed(0.3)}, QUICK)
    for one in found.differences:
        assert (one.mean, one.low, one.high, one.p_value, one.lower_share) == (0, 0, 0, 1, 0.5)


def test_what_is_undefined_in_one_model_has_no_pairs(analysed: Analysed) -> None:
    model = analysed(0.3)
    found = compare_analyses({"a": model, "b": replace(model, conventional=None)}, QUICK)
    (one,) = found.of("unseen_class_accuracy")
    assert one.names == ()
    assert np.isnan([one.mean, one.low, one.high, one.p_value, one.p_value_holm, one.lower_share]).all()


def test_only_the_same_classes_and_semantics_are_compared(analysed: Analysed) -> None:
    model = analysed(0.3)
    with pytest.raises(ArgumentError, match="analyses: expected at least two models to compare, got 1"):
        compare_analyses({"a": model})
    other = replace(model, classes=("owl", *model.classes[1:]))
    message = "analyses: expected the same classes in 'a' and 'b', but only one of them has 'c0', 'owl'; analyse both"
    with pytest.raises(ArgumentError, match=message):
        compare_analyses({"a": model, "b": other})
    with pytest.raises(ArgumentError, match=r"expected the same attributes in 'a' and 'b', .* 'u', 'wings'"):
        compare_analyses({"a": model, "b": replace(model, attributes=("wings", *model.attributes[1:]))})


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6, unique=True))
def test_holm_matches_its_definition(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(oracle.holm(p_values))
    assert holm([float("nan"), *p_values])[1:] == holm(p_values)

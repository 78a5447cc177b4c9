from dataclasses import replace

import pytest
import torch

from rezsl.data import Benchmark, Split
from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics


def test_what_a_benchmark_knows(features: Benchmark) -> None:
    assert features.kind == "features"
    assert features.seen_classes == ("a", "b", "c", "d")
    assert features.unseen_classes == ("e", "f")
    assert repr(features) == "Benchmark('toy', 120 features, 4 seen and 2 unseen classes, 4 attributes)"


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_feature_that_is_not_finite_is_located(features: Benchmark, value: float) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    inputs = features.inputs.clone()
    inputs[77, 3] = value
    with pytest.raises(DataError, match="inputs: expected finite features, got NaN or infinity in row 77"):
        replace(features, inputs=inputs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": torch.zeros(7, dtype=torch.int64)}, "labels: expected one per input, 120, got 7"),
        ({"labels": torch.arange(120)}, r"labels: expected class numbers in \[0, 6\), .* got 119"),
        ({"labels": torch.arange(120) % 6 - 1}, r"labels: expected class numbers in \[0, 6\), .* got -1"),
        ({"inputs": torch.zeros(120)}, r"inputs: expected floating-point features \[N, D\]"),
        (
            {"inputs": torch.zeros(120, 2, 8, 8, dtype=torch.uint8)},
            r"inputs: expected images \[N, 1 or 3, height, width\]",
        ),
        ({"groups": torch.zeros(3, dtype=torch.int64)}, "groups: expected one per input, 120, got 3"),
    ],
)
def test_arrays_that_do_not_fit(
    features: Benchmark, changes: dict[str, torch.Tensor], message: str, unchecked: None
) -> None:
    with pytest.raises(DataError, match=message):
        replace(features, **changes)  # type: ignore[arg-type]


def test_classes_that_can_never_be_told_apart_are_noted_once(features: Benchmark) -> None:
    table = features.semantics
    assert features.notes == ()
    values = table.values.clone()
    values[4] = 3 * values[1]  # the cosine sees no length
    values[5] = -values[0]  # but it sees a sign
    twins = ClassSemantics(table.classes, table.attributes, values)
    noted = replace(features, semantics=twins, notes=("read twice",))
    sentence = "these classes have the same class semantics, so no model can distinguish them: 'b', 'e'"
    assert noted.notes == ("read twice", sentence)
    assert replace(noted, name="again").notes == noted.notes
    assert replace(noted, semantics=table).notes == ("read twice",)
    # Just outside the tolerance, a cosine of 1 - 2e-6, and just inside.
    for angle, groups in ((2e-3, []), (1e-3, [("x", "y")])):
        near = torch.tensor([[1.0, 0.0], [1.0, angle], [0.0, 1.0]])
        assert ClassSemantics(("x", "y", "z"), ("a", "b"), near).indistinguishable() == groups


def test_a_table_of_equal_classes_takes_one_line(features: Benchmark) -> None:
    table = features.semantics
    same = ClassSemantics(table.classes, table.attributes, torch.ones(6, 4))
    (note,) = replace(features, semantics=same).notes
    assert note.endswith("can distinguish them: 'a', 'b', 'c' and 3 more")
    many = ClassSemantics(tuple(map(str, range(10))), tuple("vwxyz"), torch.eye(5).repeat(2, 1))
    (note,) = replace(features, semantics=many).notes
    assert note.endswith("can distinguish them: '0', '5'; '1', '6'; '2', '7'; and 2 more such groups")


def index(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_unseen": index(120)}, r"split.test_unseen: expected indices in \[0, 120\), got 120"),
        ({"test_seen": index(0, 0)}, "split.test_seen: an image is listed more than once"),
        ({"trainval": index()}, "split.trainval: expected at least one training image"),
        ({"test_seen": index(1)}, "split.trainval and split.test_seen: expected no image in both, got 1"),
        ({"trainval": index(1, 81), "test_seen": index()}, "split.test_unseen: class 'e' also has training images"),
        ({"trainval": index(1)}, "split.test_seen: class 'b' has no training image"),
        ({"train": index(0)}, "split.train: 1 images are not part of trainval"),
        ({"train": index(1), "val": index(2)}, "split.val: class 'a' is also a training class"),
        ({"train": index(1)}, "split.train and split.val: expected both or neither"),
    ],
)
def test_a_split_under_which_results_mean_nothing(
    features: Benchmark, changes: dict[str, torch.Tensor], message: str
) -> None:
    parts = features.split.parts() | {"test_unseen": torch.arange(82, 120)} | changes
    with pytest.raises(DataError, match=message):
        replace(features, split=Split(**parts))


def test_no_unseen_class_at_all(features: Benchmark) -> None:
    with pytest.raises(DataError, match="all 6 classes of the semantics table have training images"):
        replace(features, split=Split(torch.arange(120)))

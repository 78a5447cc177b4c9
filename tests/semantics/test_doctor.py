"""Each fault of a table is found with its numbers, which slow loops give again, and sound tables have no finding."""

import math
import random
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch

from rezsl.data import load_digits, load_image_folder, load_synthetic, read_split_file
from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics, Finding, examine
from rezsl.semantics._table_checks import close_classes, undetermined_shares, unvaried_attributes


def table(values: object, attributes: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> ClassSemantics:
    numbers = torch.as_tensor(values, dtype=torch.float32)
    rows, columns = numbers.shape
    return ClassSemantics(
        classes or tuple(f"class {row}" for row in range(rows)),
        attributes or tuple(f"attribute {column}" for column in range(columns)),
        numbers,
    )


def drawn(rows: int, columns: int, seed: int = 0) -> ClassSemantics:
    return table(torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)))


def found(semantics: ClassSemantics, kind: str, *, seen: int, errors: torch.Tensor | None = None) -> Finding:
    (finding,) = [one for one in examine(semantics, semantics.classes[:seen], None, errors) if one.kind == kind]
    return finding


def test_a_sound_table_has_no_finding() -> None:
    assert examine(drawn(20, 12), drawn(20, 12).classes[:15]) == ()


def test_the_digits_and_synthetic_data_have_no_finding() -> None:
    for benchmark in (load_digits(), load_synthetic()):
        assert examine(benchmark.semantics, benchmark.seen_classes) == ()


def test_tables_of_the_field_have_no_finding_but_one(real_data: Path) -> None:
    for name in ("AWA1", "AWA2", "SUN", "FLO", "CUB"):
        (path,) = (real_data / "xlsa17-splits" / name).glob("*_splits.mat")
        semantics = read_split_file(path).semantics
        names = random.Random(0).sample(semantics.classes, len(semantics.classes))
        assert examine(semantics, names[len(names) // 5 :]) == (), name
    cub, signs = (load_image_folder(real_data / name) for name in ("cub-dev", "gtsrb-dev"))
    assert examine(cub.semantics, cub.seen_classes) == ()
    (finding,) = examine(signs.semantics, signs.seen_classes)
    assert finding.details == ("end of speed limit 80: 17 %, 'digit 8'",)


def test_attributes_that_training_never_varied() -> None:
    rows = [[1, 0, 3, 0.5], [0, 1, 3, 0.5], [1, 1, 3, 0.5], [1, 0, 3, 1.5], [0, 1, 0, 0.5], [1, 0, 3, 0.5]]
    semantics = table(rows, ("a", "b", "c", "d"), ("p", "q", "r", "u", "v", "w"))
    columns, shares = unvaried_attributes(semantics, torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5]))
    assert columns == [2, 3]
    expected = [(row[2] ** 2 + row[3] ** 2) / sum(value**2 for value in row) for row in rows[3:]]
    assert shares.tolist() == pytest.approx(expected)
    finding = found(semantics, "unvaried", seen=3)
    assert finding.text == (
        "no training class varies in 'c', 'd'; 92 % of the row of 'u' and 90 % of the row of 'w' and a part of 1 other row "
        "rest on them; no other attribute separates 'p', 'u', 'w'; --varied-only true leaves them out of the scores"
    )
    assert finding.details == ("u: 92 %, 'c', 'd'", "w: 90 %, 'c', 'd'", "v: 20 %, 'd'")


def test_an_attribute_that_no_class_at_all_varies_in_is_no_fault() -> None:
    semantics = drawn(20, 12)
    constant = table(torch.cat([semantics.values, torch.ones(20, 1)], dim=1))
    assert examine(constant, constant.classes[:15]) == ()


def test_one_attribute_that_outweighs_the_others() -> None:
    values = drawn(20, 12).values.clone()
    values[:, 4] *= 100
    finding = found(table(values), "dominant", seen=15)
    share = np.mean([row[4] ** 2 / sum(value**2 for value in row) for row in values.tolist()])
    assert (
        f"'attribute 4' (up to {values[:, 4].max():g}) makes up {100 * share:.0f} % of the rows' squared"
        in finding.text
    )
    kinds = [one.kind for one in examine(table(values), table(values).classes[:15])]
    assert kinds == ["dominant"]  # neither its scale nor the closeness that follows from it is reported as well


def test_attributes_on_another_scale() -> None:
    values = 100 * drawn(20, 40).values
    values[:, 7] = (values[:, 7] > 50).float()
    values[:, 9] /= 500
    finding = found(table(values), "scales", seen=15)
    assert finding.details == ("'attribute 7': up to 1",)  # attribute 9 is small, as those of rare features are
    values[:2, 3] = 1500
    assert "'attribute 3': up to 1500" in found(table(values), "scales", seen=15).text


@pytest.mark.parametrize("seen", [1, 2, 6])
def test_what_the_training_classes_do_not_determine(seen: int) -> None:
    semantics = drawn(9, 30)
    rows = semantics.values.double().numpy().copy()
    rows[:, np.ptp(rows[:seen], axis=0) == 0] = 0
    rows = np.array([row / np.linalg.norm(row) if row.any() else row for row in rows])
    middle = rows[:seen].mean(axis=0)
    expected = []
    for row in rows[seen:]:
        basis = (rows[:seen] - middle).T
        rest = row - middle - basis @ np.linalg.lstsq(basis, row - middle, rcond=1e-6)[0]
        whole = ((row - middle) ** 2).sum()
        expected.append((rest**2).sum() / whole if whole else 0)
    shares = undetermined_shares(semantics, torch.arange(seen), torch.arange(seen, 9))
    assert shares.tolist() == pytest.approx(expected, abs=1e-6)


def test_too_few_classes_for_the_attributes() -> None:
    semantics = table((drawn(12, 100).values > 0.7).float())
    finding = found(semantics, "few classes", seen=10)
    assert finding.text.startswith("10 training classes are few for 100 attributes: they do not determine ")
    assert [line.split(":")[0] for line in sorted(finding.details)] == ["class 10", "class 11"]


def test_classes_at_a_small_angle() -> None:
    values = drawn(30, 12).values.clone()
    values[20], values[25], values[3] = values[2] * 3, values[2] + 0.01, values[2].flip(0)
    semantics = table(values)
    angles = {}
    for one, other in combinations(range(30), 2):
        left, right = values[one].double().numpy(), values[other].double().numpy()
        cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
        if cosine < 1 - 1e-6:
            angles[one, other] = math.degrees(math.acos(cosine))
    near = sorted((angle, pair) for pair, angle in angles.items() if angle < 5)
    count, worst = close_classes(semantics)
    assert count == len(near) == 2  # rows 2 and 20 are equal in direction: each is close to row 25
    assert [pair[2] for pair in worst] == pytest.approx([angle for angle, _ in near], abs=1e-4)
    assert {pair[:2] for pair in worst} == {pair for _, pair in near}
    assert "2 pairs of classes are at less than 5°" in found(semantics, "close", seen=20).text


def test_classes_within_the_errors_of_a_model() -> None:
    semantics = drawn(12, 6)
    errors = torch.rand(6, generator=torch.Generator().manual_seed(1)) / 10
    expected = {}
    for one, other in combinations(range(12), 2):
        left, right = (semantics.values[row].double().numpy() for row in (one, other))
        difference = left / np.linalg.norm(left) - right / np.linalg.norm(right)
        deviation = math.sqrt(sum(errors.double().numpy() * difference**2))
        expected[one, other] = NormalDist().cdf(-(difference @ difference) / 2 / deviation)
    confused = {pair: chance for pair, chance in expected.items() if chance > 0.25}
    count, worst = close_classes(semantics, errors)
    assert 0 < count == len(confused) < len(expected)
    assert {(one, other): chance for one, other, chance in worst} == pytest.approx(confused, abs=1e-6)
    text = found(semantics, "close", seen=9, errors=errors).text
    assert "closer than the errors of the model separate" in text
    assert f"{100 * max(confused.values()):.0f} % of images taken for the other" in text


def test_many_classes_are_compared_in_slices() -> None:
    semantics = drawn(2100, 3)
    count, worst = close_classes(semantics)
    directions = torch.nn.functional.normalize(semantics.values.double())
    angles = (directions @ directions.T).clamp(-1, 1).acos().rad2deg()
    cosines = directions @ directions.T
    pairs = ((cosines > math.cos(math.radians(5))) & (cosines < 1 - 1e-6)).triu(1)
    assert count == int(pairs.sum())
    assert [angle for _, _, angle in worst] == pytest.approx(angles[pairs].sort().values[:20].tolist(), abs=1e-3)


def test_names_of_one_spelling() -> None:
    classes = ("Give Way", "give_way", "M5 bolt", "M 5 bolt", "A+", "A", "1.5", "15", "-5", "5")
    semantics = table(drawn(10, 8).values, ("red rim", "Red-rim", *"abcdef"), classes)
    names = [finding for finding in examine(semantics, classes[:8]) if finding.kind == "names"]
    assert [finding.details for finding in names] == [("'Give Way', 'give_way'",), ("'red rim', 'Red-rim'",)]


def test_arguments_that_do_not_fit() -> None:
    semantics = drawn(4, 3)
    with pytest.raises(ArgumentError, match="seen: expected at least one training class, got none"):
        examine(semantics, [])
    with pytest.raises(DataError, match="expected rows for 'yak', got none"):
        examine(semantics, ["yak"])
    for errors in (torch.ones(4), torch.tensor([1.0, -1.0, 0.0])):
        with pytest.raises(ArgumentError, match="squared_errors: expected 3 numbers of at least 0, one per attribute"):
            examine(semantics, ["class 0"], squared_errors=errors)

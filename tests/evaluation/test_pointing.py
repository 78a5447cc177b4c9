import math
from random import Random

import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.evaluation import parts_of_attributes, pointing_accuracy

PARTS = ["beak", "left wing", "right wing"]
ATTRIBUTES = ["has_bill_color::red", "has_wing_shape::long", "has_size::wing-like", "winged", "Wing colour"]


def test_parts_are_found_by_the_words_of_the_property() -> None:
    found = parts_of_attributes(ATTRIBUTES, PARTS, {"bill": "beak"})
    assert found == [(0,), (1, 2), (), (), (1, 2)]
    assert parts_of_attributes(ATTRIBUTES, PARTS)[0] == ()


@pytest.mark.parametrize("part", ["left wing", "left_wing", "left-wing", "Wing2", "wing (left's) wing."])
@pytest.mark.parametrize("attribute", ["has_wing_color::red", "wing-color", "color/wing", "wing1 color"])
def test_everything_but_letters_separates_words(attribute: str, part: str) -> None:
    assert parts_of_attributes([attribute, "swing"], ["17", part]) == [(1,), ()]


@pytest.mark.parametrize("tolerance", [0.1, 0.25])
def test_pointing_accuracy_is_a_count_of_near_cells(tolerance: float) -> None:
    """The same by loops over images, attributes and cells."""
    generator, side = torch.Generator().manual_seed(0), 4
    maps = torch.rand(30, 5, side, side, generator=generator)
    places = torch.rand(30, 3, 2, generator=generator)
    places[torch.rand(30, 3, generator=generator) < 0.3] = math.nan
    counted = torch.rand(30, 5, generator=generator) < 0.6
    parts_of = parts_of_attributes(ATTRIBUTES, PARTS, {"bill": "beak"})
    found = pointing_accuracy(maps, places, PARTS, parts_of, counted, tolerance)
    assert list(found) == ["beak", "left wing/right wing"]

    def near(x: float, y: float, image: int, group: tuple[int, ...]) -> bool:
        marks = [places[image, part].tolist() for part in group]
        return any(max(abs(x - mark[0]), abs(y - mark[1])) <= tolerance for mark in marks if not math.isnan(mark[0]))

    for group, result in zip([(0,), (1, 2)], found.values(), strict=True):
        columns = [column for column, other in enumerate(parts_of) if other == group]
        hits, centre, chance = [], [], []
        for image in range(30):
            used = [column for column in columns if counted[image, column]]
            if not used or all(math.isnan(places[image, part, 0]) for part in group):
                continue
            peaks = [int(maps[image, column].flatten().argmax()) for column in used]
            points = [((peak % side + 0.5) / side, (peak // side + 0.5) / side) for peak in peaks]
            hits.append(sum(near(*point, image, group) for point in points) / len(points))
            centre.append(near(0.5, 0.5, image, group))
            cells = [((x + 0.5) / side, (y + 0.5) / side) for x in range(side) for y in range(side)]
            chance.append(sum(near(*cell, image, group) for cell in cells) / len(cells))
        assert result.images == len(hits)
        for got, expected in ((result.hits, hits), (result.centre, centre), (result.chance, chance)):
            assert got == pytest.approx(sum(expected) / len(expected), abs=1e-6)


def test_x_runs_from_the_left_and_y_from_the_upper_side() -> None:
    column, row = Random(0).sample(range(5), 2)
    maps = torch.zeros(1, 1, 5, 5)
    maps[0, 0, row, column] = 1
    places = torch.tensor([[[(column + 0.5) / 5, (row + 0.5) / 5]]])
    counted = torch.ones(1, 1, dtype=torch.bool)
    assert pointing_accuracy(maps, places, ["x"], [(0,)], counted).popitem()[1].hits == 1
    assert pointing_accuracy(maps.mT, places, ["x"], [(0,)], counted).popitem()[1].hits == 0


def test_what_cannot_be_measured_is_one_line() -> None:
    maps, places, counted = torch.rand(2, 1, 3, 3), torch.rand(2, 1, 2), torch.ones(2, 1, dtype=torch.bool)
    with pytest.raises(ArgumentError, match="tolerance: expected a share of the image's side above 0, got -1"):
        pointing_accuracy(maps, places, ["x"], [(0,)], counted, -1.0)
    with pytest.raises(ArgumentError, match="parts_of: expected an attribute that names a part, got none for 'x'"):
        pointing_accuracy(maps, places, ["x"], [()], counted)
    maps_of = "for maps of 2 images and 1 attributes and"
    with pytest.raises(ArgumentError) as error:
        pointing_accuracy(maps, places, ["x", "y"], [(0,)], counted)
    remedy = "compute all of them for the same images, attributes and parts"
    assert str(error.value) == f"places: expected the shape (2, 2, 2) {maps_of} 2 parts, got (2, 1, 2); {remedy}"
    with pytest.raises(ArgumentError) as error:
        pointing_accuracy(maps, places, ["x"], [(0,), ()], counted)
    assert str(error.value) == f"parts_of: expected the shape (1,) {maps_of} 1 parts, got (2,); {remedy}"

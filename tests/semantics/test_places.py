from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rezsl.classifier import load_model, save_model
from rezsl.data import load_digits
from rezsl.errors import DataError
from rezsl.functional import place_shares
from rezsl.models import AttentionNet, LinearRegressor
from rezsl.regions import small_resnet
from rezsl.semantics import ClassSemantics, with_places
from rezsl.training import Training
from rezsl.training._assembly import new_classifier
from tests.oracles.attention import place_shares as slow_shares

HEADER = "attribute,y,x,spread\n"


def table(*attributes: str) -> ClassSemantics:
    return ClassSemantics(("a", "b"), attributes, torch.eye(2, len(attributes)))


def test_shares_match_the_slow_loops_and_leave_class_tokens_out() -> None:
    places = torch.rand(20, 3, dtype=torch.float64)
    places[3, 2] = torch.inf
    for side in (1, 2, 5):
        expected = torch.from_numpy(slow_shares(places.numpy(), side, side))
        torch.testing.assert_close(place_shares(places, side**2), expected)
    shares = place_shares(places, 17)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(20, dtype=torch.float64))
    assert bool((shares[[0, 1, 2], 0] == 0).all())
    assert float(shares[3, 0]) == pytest.approx(1 / 17)


def test_a_file_gives_places_by_name(tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text("\ufeff" + HEADER + '"rim, red",0.5,0.25,0.1\n\nhorn,0,1,0.3\n', encoding="utf-8")
    placed = with_places(table("horn", "tail", "rim, red"), file)
    assert placed.places is not None
    assert placed.places[0].tolist() == pytest.approx([0, 1, 0.3])
    assert placed.places[1].tolist() == [0.5, 0.5, torch.inf]
    assert placed.places[2].tolist() == pytest.approx([0.5, 0.25, 0.1])
    others = ClassSemantics(("new",), ("rim, red", "tail", "horn"), torch.tensor([[1.0, 2.0, 3.0]]))
    joined = placed.with_classes_of(others)
    assert joined.places is placed.places
    assert joined.values.tolist() == [[3, 2, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns attribute, y, x, spread, got none"),
        ("attribute,x,y,spread\n", "expected the columns attribute, y, x, spread, got attribute, x, y, spread"),
        (HEADER + "horn,0.5,0.5\n", "line 2: expected 4 cells, got 3"),
        (HEADER + "hron,0.5,0.5,0.1\n", "line 2: expected an attribute of the table, got 'hron'; correct the name"),
        (HEADER + "horn,0,0,1\n\nhorn,1,1,1\n", "line 4: expected each attribute once, got 'horn' again; remove one line"),
        (HEADER + "horn,top,0.5,0.1\n", "line 2: expected numbers for y, x and spread, got ['top', '0.5', '0.1']"),
        (HEADER + "horn,0.5,1.5,0.1\n", "expected y and x from 0 to 1 and a spread above 0, got 0.5, 1.5, 0.1 for 'horn'"),
        (HEADER + "horn,0.5,0.5,0\n", "a spread above 0, got 0.5, 0.5, 0 for 'horn'"),
        (HEADER + "horn,nan,0.5,0.1\n", "a spread above 0, got nan, 0.5, 0.1 for 'horn'"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "places.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"places\.csv") as caught:
        with_places(table("horn", "tail"), file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_networks_of_images_use_places_and_saved_models_contain_them(tmp_path: Path) -> None:
    digits = load_digits()
    assert digits.semantics.places is not None
    model = new_classifier(digits, digits.split.trainval, None, small_resnet, Training())
    assert isinstance(model.network, AttentionNet)
    assert model.network.places is not None
    torch.testing.assert_close(model.network.places, digits.semantics.places, rtol=0, atol=0)
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.semantics.places is not None
    torch.testing.assert_close(again.semantics.places, digits.semantics.places)
    images = digits.inputs[:3]
    assert isinstance(images, torch.Tensor)
    torch.testing.assert_close(again.predict_semantics(images), model.predict_semantics(images))

    features = replace(digits, inputs=torch.rand(len(digits.labels), 7))
    of_features = new_classifier(features, digits.split.trainval, AttentionNet, small_resnet, Training())
    assert isinstance(of_features.network, AttentionNet)
    assert of_features.network.places is None
    new_classifier(digits, digits.split.trainval, LinearRegressor, small_resnet, Training())

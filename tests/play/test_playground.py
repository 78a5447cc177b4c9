import base64
import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, explain
from rezsl.data import load_digits
from rezsl.errors import DataError
from rezsl.models import Bilinear, LinearRegressor
from rezsl.play import Playground
from rezsl.regions import FeatureScaler, small_resnet
from rezsl.semantics import ClassSemantics
from tests.play.conftest import photo_of

NONE: dict[str, Any] = {"removed": [], "rows": {}}


def near(value: float | list[float]) -> Any:
    return pytest.approx(value, rel=1e-4, abs=1e-5)


def test_answers_are_those_of_classify_and_explain(playground: Playground, model: ZeroShotClassifier) -> None:
    images = load_digits().inputs
    far = set()
    for position in range(8):
        key = playground.add(photo_of(position))["photo"]
        answer = playground.answer(key, NONE, 4)
        expected = model.classify(images[position : position + 1], top=4)[0]
        assert [item["name"] for item in answer["classes"]] == [item.name for item in expected]
        assert [item["probability"] for item in answer["classes"]] == near([item.probability for item in expected])
        assert (answer["far"], answer["strangeness"]) == (expected.far, near(expected.strangeness))
        far.add(answer["far"])
        explanation = explain(model, images, position)
        found = explanation.in_favour(found=True)[:8]
        assert [one["attribute"] for one in answer["reasons"]["found"]] == [
            explanation.attributes[row] for row in found
        ]
        assert [one["share"] for one in answer["reasons"]["found"]] == near(explanation.share[found].tolist())
        assert answer["predicted"] == near(model.predict_semantics(images[position : position + 1])[0].tolist())
    assert far == {False, True}


def test_a_changed_table_is_answered_as_that_table(playground: Playground, model: ZeroShotClassifier) -> None:
    table = model.semantics
    first, second = ([float(value) for value in torch.rand(len(table.attributes))] for _ in range(2))
    key = playground.add(photo_of(3))["photo"]
    changes = {"removed": ["4", "9"], "rows": {"new": first, "1": second}}
    answer = playground.answer(key, changes, 20)
    values = [second if name == "1" else table.values[row].tolist() for row, name in enumerate(table.classes)]
    names = [name for name in table.classes if name not in ("4", "9")]
    rows = [values[table.classes.index(name)] for name in names] + [first]
    other = ClassSemantics((*names, "new"), table.attributes, torch.tensor(rows))
    expected = model.classify(load_digits().inputs[3:4], other, top=20)[0]
    assert [item["name"] for item in answer["classes"]] == [item.name for item in expected]
    assert [item["score"] for item in answer["classes"]] == near([item.score for item in expected])
    assert answer["strangeness"] == near(expected.strangeness)
    assert answer["count"] == len(other.classes)


def test_a_class_that_fits_a_strange_photo_makes_it_familiar(playground: Playground) -> None:
    for position in range(20):
        key = playground.add(photo_of(position))["photo"]
        before = playground.answer(key, NONE, 1)
        if before["far"]:
            after = playground.answer(key, {"rows": {"this one": before["predicted"]}}, 1)
            assert after["classes"][0]["name"] == "this one"
            assert not after["far"]
            return
    raise AssertionError("no photo is refused")


def test_maps_are_those_of_explain(playground: Playground, model: ZeroShotClassifier) -> None:
    key = playground.add(photo_of(5))["photo"]
    names = ["roundness", "narrow"]
    for kind in ("gradient", "attention"):
        maps = playground.maps(key, names, kind)["cells"]
        expected = explain(model, load_digits().inputs, 5, kind=kind, semantics=names).maps
        assert expected is not None
        for name, values in zip(names, expected.maps[0], strict=True):
            assert np.allclose(maps[name], values, atol=1e-5)


def test_the_picture_is_what_the_network_receives(playground: Playground, model: ZeroShotClassifier) -> None:
    url = playground.add(photo_of(2))["picture"]
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        pixels = torch.from_numpy(np.array(picture))[:, :, 0]
    assert torch.equal(pixels, model.input_format.read(load_digits().inputs, torch.tensor([2]))[0, 0])


def test_models_without_shares_have_answers_without_reasons() -> None:
    semantics = load_digits().semantics
    backbone = small_resnet(channels=1, natural_size=8, width=8)
    model = ZeroShotClassifier(backbone, Bilinear(backbone.region_dim, semantics), semantics, ["0", "1", "3"])
    playground = Playground(model)
    answer = playground.answer(playground.add(photo_of(0))["photo"], NONE, 3)
    assert answer["reasons"] is None
    assert answer["strangeness"] is None
    assert not answer["far"]
    assert playground.map_kinds == ()


def test_a_model_of_features_is_refused() -> None:
    semantics = load_digits().semantics
    model = ZeroShotClassifier(FeatureScaler(6), LinearRegressor(6, semantics), semantics, ["0", "1"])
    with pytest.raises(DataError, match="model: expected one of photos, got one of features"):
        Playground(model)


def test_a_photo_that_was_forgotten_is_asked_for(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.play._playground.MOST_PHOTOS", 2)
    keys = [playground.add(photo_of(0))["photo"] for _ in range(2)]
    playground.answer(keys[0], NONE, 1)  # the one used last is kept
    playground.add(photo_of(1))
    playground.answer(keys[0], NONE, 1)
    with pytest.raises(DataError, match="choose the photo again"):
        playground.answer(keys[1], NONE, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([], "expected an object with removed and rows"),
        ({"other": 1}, "expected an object with removed and rows"),
        ({"removed": "0"}, "expected a list of removed names"),
        ({"removed": [0]}, "expected a list of removed names"),
        ({"rows": []}, "expected a list of removed names"),
        ({"rows": {"": [1.0] * 51}}, "expected a name of 1 to 200 characters"),
        ({"rows": {"x" * 201: [1.0] * 51}}, "expected a name of 1 to 200 characters"),
        ({"rows": {"a": [1.0]}}, "finite numbers"),
        ({"rows": {"a": [math.nan] * 51}}, "finite numbers"),
        ({"rows": {"a": [1e39] * 51}}, "finite numbers"),
        ({"rows": {"a": ["1"] * 51}}, "finite numbers"),
        ({"rows": {"a": [True] * 51}}, "finite numbers"),
        ({"rows": {"a": [0.0] * 51}}, "got only 0 for 'a'"),
        ({"rows": {str(number): [] for number in range(1001)}}, "at most 1000 changed rows"),
        ({"removed": [str(digit) for digit in range(10)]}, "expected at least one class"),
    ],
)  # fmt: skip
def test_changes_of_another_form_are_refused_in_one_line(playground: Playground, changes: Any, message: str) -> None:
    width = len(playground.table.attributes)
    if isinstance(changes, dict) and isinstance(changes.get("rows"), dict):
        changes["rows"] = {
            name: (numbers * width)[:width] if len(numbers) > 1 else numbers
            for name, numbers in changes["rows"].items()
        }
    key = playground.add(photo_of(0))["photo"]
    with pytest.raises(DataError, match=message) as caught:
        playground.answer(key, changes, 3)
    assert "\n" not in str(caught.value)


def test_one_class_alone_has_no_reasons(playground: Playground) -> None:
    key = playground.add(photo_of(0))["photo"]
    answer = playground.answer(key, {"removed": [str(digit) for digit in range(1, 10)]}, 3)
    assert [item["name"] for item in answer["classes"]] == ["0"]
    assert answer["reasons"] is None

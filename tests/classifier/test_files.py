import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rezsl.classifier import ZeroShotClassifier, load_model, save_model
from rezsl.classifier._files import FORMAT
from rezsl.errors import ArgumentError, ModelFileError
from rezsl.models import AttentionNet, LinearRegressor, MLPRegressor
from rezsl.regions import Backbone, FeatureScaler, small_resnet
from rezsl.semantics import ClassSemantics


def models(semantics: ClassSemantics) -> list[ZeroShotClassifier]:
    torch.manual_seed(0)
    worded = ClassSemantics(
        semantics.classes, semantics.attributes, semantics.values, torch.randn(4, 3), ("x", "x", "y", "y")
    )
    scaler = FeatureScaler(8)
    scaler.load_state_dict({"mean": torch.randn(8), "deviation": torch.tensor(1.5)})
    backbone: Backbone = small_resnet(channels=1, natural_size=8, image_size=8, width=4)
    return [
        ZeroShotClassifier(scaler, LinearRegressor(8, semantics), semantics, ["a", "b"], gamma=0.7, scale=25.0),
        ZeroShotClassifier(scaler, MLPRegressor(8, semantics, 5), semantics, ["a"]),
        ZeroShotClassifier(backbone, AttentionNet(8, worded, 4, 3), worded, ["c"]),
    ]


@pytest.mark.parametrize("number", range(3))
def test_what_is_saved_predicts_the_same(tmp_path: Path, semantics: ClassSemantics, number: int) -> None:
    model = models(semantics)[number].eval()
    save_model(model, tmp_path / "run")
    copy = load_model(tmp_path / "run")
    inputs = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8) if number == 2 else torch.randn(2, 8)
    torch.testing.assert_close(copy.predict_semantics(inputs), model.predict_semantics(inputs), rtol=0, atol=0)
    assert (copy.gamma, copy.scale, copy.seen_classes) == (model.gamma, model.scale, model.seen_classes)
    assert copy.semantics.classes == semantics.classes
    assert copy.semantics.groups == model.semantics.groups
    torch.testing.assert_close(copy.semantics.query_vectors, model.semantics.query_vectors)
    assert not copy.training


def test_word_vectors_that_came_without_a_table_are_saved_with_it(tmp_path: Path, semantics: ClassSemantics) -> None:
    torch.manual_seed(0)
    vectors, scaler = torch.randn(4, 3), FeatureScaler(8)
    model = ZeroShotClassifier(scaler, AttentionNet(8, vectors, 4), semantics, ["a"]).eval()
    torch.nn.init.normal_(model.network.output.weight)  # type: ignore[arg-type, union-attr] # the net's own layer
    save_model(model, tmp_path)
    copy, inputs = load_model(tmp_path), torch.randn(3, 5, 8)
    torch.testing.assert_close(copy.network(inputs), model.network(inputs), rtol=0, atol=0)
    assert copy.semantics.word_vectors is not None
    assert torch.equal(copy.semantics.word_vectors, vectors)


def test_the_table_is_the_one_that_the_network_was_made_with(semantics: ClassSemantics) -> None:
    scaler = FeatureScaler(8)
    placed = replace(semantics, places=torch.full((4, 3), 0.5), groups=tuple("xxyy"))
    model = ZeroShotClassifier(scaler, AttentionNet(8, semantics), placed, ["a"])
    assert (model.semantics.places, model.semantics.groups) == (None, None)
    assert ZeroShotClassifier(scaler, AttentionNet(8, placed), semantics, ["a"]).semantics.places is placed.places
    other = replace(semantics, attributes=("wings", "fur", "stripes", "horns"))
    with pytest.raises(ArgumentError, match="semantics: expected the 4 attributes that the network was made with"):
        ZeroShotClassifier(scaler, AttentionNet(8, other), semantics, ["a"])


@pytest.fixture
def saved(tmp_path: Path, semantics: ClassSemantics) -> Path:
    save_model(models(semantics)[0], tmp_path)
    return tmp_path


def change(path: Path, **changes: object) -> None:
    description = json.loads(path.read_text())
    path.write_text(json.dumps(description | changes))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (1, rf"written by an earlier rezsl \(format 1; this one reads format {FORMAT}\); train again$"),
        (FORMAT + 1, rf"written by a newer rezsl \(format {FORMAT + 1}; .*\); upgrade rezsl$"),
    ],
)
def test_another_format_is_refused(saved: Path, number: int, message: str) -> None:
    change(saved / "model.json", format=number)
    with pytest.raises(ModelFileError, match=message):
        load_model(saved)


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "other"])
def test_damaged_tensors_are_refused(saved: Path, semantics: ClassSemantics, damage: str) -> None:
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        save_model(models(semantics)[1], saved / "other")
        path.write_bytes((saved / "other" / "model.safetensors").read_bytes())
    else:
        content[-1] ^= 1
        path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        load_model(saved)


def test_the_random_numbers_of_the_caller_are_left_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load_model(saved)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", f'{{"format": {FORMAT}}}'])
def test_damaged_descriptions_are_refused(saved: Path, text: str) -> None:
    (saved / "model.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"expected|not a readable model"):
        load_model(saved)


def test_a_description_of_another_shape_is_refused_in_one_line(saved: Path) -> None:
    change(
        saved / "model.json",
        network={"class": "MLPRegressor", "options": {"hidden_dim": 9}},
    )
    with pytest.raises(ModelFileError, match=r"not a readable model|expected networks of at most") as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 0},
        {"format": True},
        {"gamma": None},
        {"gamma": "0.5"},
        {"gamma": float("nan")},
        {"scale": -1.0},
        {"protocol": "whatever"},
        {"seen_classes": ["nobody"]},
    ],
)
def test_a_description_with_an_impossible_value_is_refused(
    saved: Path, changes: dict[str, object], unchecked: None
) -> None:
    change(saved / "model.json", **changes)
    with pytest.raises(ModelFileError, match=rf"^{saved}.*(?:expected|no semantics|not a readable model)"):
        load_model(saved)


class OwnRegressor(LinearRegressor):
    """A model that somebody wrote outside rezsl."""


def test_a_file_cannot_choose_what_is_imported(saved: Path, semantics: ClassSemantics) -> None:
    for name in ("ForeignRegressor", "os.system", "SemanticModel.__init__", "SemanticModel", "Linear"):
        change(saved / "model.json", network={"class": name, "options": {}})
        with pytest.raises(ModelFileError, match=rf"^{saved}: unknown SemanticModel class .* import its module first"):
            load_model(saved)


def test_a_class_of_ones_own_is_found_once_it_is_imported(saved: Path, semantics: ClassSemantics) -> None:
    scaler = FeatureScaler(8)
    save_model(ZeroShotClassifier(scaler, OwnRegressor(8, semantics), semantics, ["a"]), saved)
    assert isinstance(load_model(saved).network, OwnRegressor)


def test_two_classes_of_one_name_are_not_confused(saved: Path, semantics: ClassSemantics) -> None:
    kinds = [type("TwiceRegressor", (LinearRegressor,), {"__module__": module}) for module in ("first", "second")]
    save_model(ZeroShotClassifier(FeatureScaler(8), kinds[0](8, semantics), semantics, ["a"]), saved)
    with pytest.raises(ModelFileError, match=r"got first\.TwiceRegressor, second\.TwiceRegressor; rename yours"):
        load_model(saved)
    again = type("OnceRegressor", (LinearRegressor,), {}), type("OnceRegressor", (LinearRegressor,), {})
    save_model(ZeroShotClassifier(FeatureScaler(8), again[0](8, semantics), semantics, ["a"]), saved)
    assert type(load_model(saved).network) is again[1]


def test_a_failed_write_leaves_the_old_model(
    saved: Path, semantics: ClassSemantics, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_file(saved / "model.safetensors")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match=r"No space left on device: .*model\.safetensors"):
        save_model(models(semantics)[1], saved)
    assert load_file(saved / "model.safetensors").keys() == before.keys()
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "model.safetensors"]
    load_model(saved)

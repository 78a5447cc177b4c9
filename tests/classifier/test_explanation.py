import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, attribute_maps, explain
from rezsl.data import load_digits
from rezsl.errors import ArgumentError, DataError
from rezsl.models import AttentionNet, Bilinear, GEMNet, LinearRegressor
from rezsl.regions import FeatureScaler, Pooling, small_resnet
from rezsl.report import save_explanation
from rezsl.semantics import ClassSemantics


@pytest.fixture
def model() -> ZeroShotClassifier:
    torch.manual_seed(0)
    semantics = load_digits().semantics
    backbone = small_resnet(channels=1, natural_size=8)
    network = AttentionNet(backbone.region_dim, semantics)
    torch.nn.init.normal_(network.output.weight, std=0.1)
    return ZeroShotClassifier(backbone, network, semantics, ["0", "1", "3"], gamma=0.7).eval()


def test_shares_add_up_to_scores_and_lead(model: ZeroShotClassifier) -> None:
    images = load_digits().inputs[:20]
    assert isinstance(images, torch.Tensor)
    untouched = model.classify(images[:1], top=2)[0]
    model.gamma = 0.001
    for position in range(20):
        # Once the winner is a seen class, once the runner-up, once neither.
        model.seen_classes = (untouched[position % 2].name,) if position % 3 else ("0", "1")
        found = explain(model, images, position)
        first, second = model.classify(images[position : position + 1], top=2)[0]
        assert (found.winner.name, found.runner_up.name) == (first.name, second.name)
        assert found.winner.probability == pytest.approx(first.probability, rel=1e-5)
        # The same sums, by hand and in float64.
        predicted = model.predict_semantics(images)[position].double().numpy()
        table = model.semantics.values.double().numpy()
        rows = table[[model.semantics.classes.index(name) for name in (first.name, second.name)]]
        direction = predicted / np.linalg.norm(predicted)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(found.share.numpy(), 20 * direction * rows[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.lead.numpy(), 20 * direction * (rows[0] - rows[1]), rtol=1e-4, atol=1e-5)
        assert float(found.lead.sum()) + found.calibration == pytest.approx(first.score - second.score, abs=1e-4)
        assert found.calibration == 0.001 * (second.seen - first.seen)
        assert found.of_gamma == (-0.001 if first.seen else 0.0)
        assert float(found.share.sum()) + found.of_gamma == pytest.approx(first.score, abs=1e-4)


def test_attention_lies_where_the_regions_lie(model: ZeroShotClassifier) -> None:
    images = load_digits().inputs[:3]
    assert isinstance(images, torch.Tensor)
    names = [model.semantics.attributes[row] for row in (5, 9)]
    found = explain(model, images, 2, kind="attention", semantics=names)
    assert found.rows == (5, 9)
    assert found.maps is not None
    assert found.maps.kind == "attention"
    assert found.image is not None
    assert found.image.shape == (1, 16, 16)
    assert isinstance(model.network, AttentionNet)
    batch = model.input_format.read(images, torch.tensor([2]))
    weights = model.network.attention(model.backbone(batch))[0]
    torch.testing.assert_close(found.maps.maps[0, 0, 1, 3], weights[5, 1 * 8 + 3].detach())
    torch.testing.assert_close(found.maps.maps.sum(dim=(2, 3)) + found.maps.elsewhere, torch.ones(1, 2))


class Transposed(GEMNet):
    """A model of somebody's own: its attention is that of GEM-Net, with the first map's weight reversed."""

    def attention(self, regions: torch.Tensor) -> torch.Tensor:
        return super().attention(regions).flip(2)


class Layered(LinearRegressor):
    """A model without attention maps, although one of its layers is called so."""

    def __init__(self, region_dim: int, semantics: ClassSemantics) -> None:
        super().__init__(region_dim, semantics)
        self.attention = torch.nn.Linear(region_dim, region_dim)


@pytest.mark.parametrize("kind", [GEMNet, Transposed, AttentionNet])
def test_attention_of_every_model_that_has_it_is_explained(
    model: ZeroShotClassifier, kind: type[GEMNet] | type[AttentionNet]
) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    network = kind(model.backbone.region_dim, model.semantics)
    other = ZeroShotClassifier(model.backbone, network, model.semantics, ["0"]).eval()
    found = explain(other, images, kind="attention")
    assert found.maps is not None
    weights = network.attention(other.backbone(other.input_format.read(images, torch.tensor([0]))))[0]
    torch.testing.assert_close(found.maps.maps[0], weights[list(found.rows)].detach().unflatten(1, (8, 8)))


@pytest.mark.parametrize(("size", "pooling"), [(32, "none"), (16, "none"), (32, "mean_max")])
def test_a_model_without_attention_has_maps_of_the_gradient(size: int, pooling: Pooling) -> None:
    """The gradient is that of the network from the last feature map of twice the output's side on, by differences."""
    torch.manual_seed(0)
    semantics = ClassSemantics(("x", "y", "z"), ("a", "b"), torch.tensor([[1.0, 0.2], [0.1, 1.0], [1.0, 1.0]]))
    backbone = small_resnet(channels=1, natural_size=8 if size == 16 else size, width=2)
    backbone.pool(pooling)
    model = ZeroShotClassifier(backbone, Layered(backbone.region_dim, semantics), semantics, ["x"]).double().train()
    images = torch.randint(256, (2, 1, size, size), dtype=torch.uint8)
    backbone.freeze()
    with torch.inference_mode():
        found = attribute_maps(model, images, torch.tensor([[1, 0], [0, 1]]))
    assert model.training
    assert found.kind == "gradient"
    model.eval()
    pixels = (images.double() / 255 - backbone.mean) / backbone.deviation
    stages = list(backbone.network.get_submodule("encoder.stages").children())
    with torch.no_grad():
        before = backbone.network.get_submodule("embedder.embedder")(pixels)
        # With images of 32 pixels the output has 4 cells on a side, and the stage before it has 8.
        later = stages[-1:] if size == 32 else []
        for stage in stages[: len(stages) - len(later)]:
            before = stage(before)

        def predict(values: np.ndarray) -> np.ndarray:
            rest = torch.from_numpy(values)
            for stage in later:
                rest = stage(rest)
            regions = rest.flatten(2).mT
            regions = regions / (regions.square().sum(dim=2).mean(dim=1).sqrt()[:, None, None] + 1e-6)
            if pooling == "mean_max":
                regions = torch.cat([regions.mean(dim=1), regions.amax(dim=1)], dim=1).unsqueeze(1)
            answer: np.ndarray = model.network(regions).numpy()
            return answer

        at = before.numpy()
        assert found.maps.shape == (2, 2, 8, 8)
        assert at.shape[2:] == (8, 8)
        relative = at - at.mean(axis=(2, 3), keepdims=True)
        for row, column in ((0, 0), (3, 5), (7, 7)):
            expected = np.zeros((2, 2))
            for channel in range(at.shape[1]):
                step = np.zeros_like(at)
                step[:, channel, row, column] = 1e-5
                slope = (predict(at + step) - predict(at - step)) / 2e-5
                expected += slope * relative[:, channel, row, column, None]
            # The first image asks for the attributes in reverse.
            expected[0] = expected[0, ::-1]
            np.testing.assert_allclose(found.maps[:, :, row, column].numpy(), expected, rtol=1e-4, atol=1e-9)
    with pytest.raises(ArgumentError, match="kind: expected gradient for Layered, which has no attention"):
        attribute_maps(model, images, torch.tensor([[0], [1]]), "attention")


def test_attention_and_the_gradient_are_both_offered_where_there_is_attention(model: ZeroShotClassifier) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    found = explain(model, images, top=3)
    assert found.maps is not None
    assert found.maps.kind == "gradient"
    assert found.maps.maps.shape == (1, 3, 8, 8)
    torch.testing.assert_close(found.share, explain(model, images, kind="attention").share)


def test_a_model_without_cosines(model: ZeroShotClassifier) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    bilinear = Bilinear(model.backbone.region_dim, model.semantics)
    with pytest.raises(ArgumentError, match="model: expected one whose class scores are cosines, got Bilinear"):
        explain(ZeroShotClassifier(model.backbone, bilinear, model.semantics, ["0"]), images)


def test_pictures_of_images_and_of_features(model: ZeroShotClassifier, tmp_path: Path) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    found = explain(model, images, kind="attention", semantics=["narrow", "ink row 1 column 1"])
    save_explanation(found, tmp_path / "a.png", title="a")
    semantics = model.semantics
    scaler = FeatureScaler(5)
    linear = ZeroShotClassifier(scaler, LinearRegressor(5, semantics), semantics, ["0"])
    of_features = explain(linear, torch.rand(2, 5), 1)
    assert of_features.image is None
    assert of_features.maps is None
    save_explanation(of_features, tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 800
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    with pytest.raises(ArgumentError, match="semantics: expected attributes of the model, got 'wings'"):
        explain(model, images, semantics=["wings"])


def texts_of(figure: Figure) -> list[Text]:
    """Headings, titles, and everything that is written about the bars."""
    bars = figure.axes[-1]
    headings = [text for panel in (figure, *figure.subfigs) for text in panel.texts]
    return [*headings, *(axes.title for axes in figure.axes), *bars.get_yticklabels(), *bars.texts, bars.xaxis.label]


def test_long_and_odd_names_are_drawn_as_they_stand_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    # Between two $ matplotlib would see a formula, here a wrong one, and fail.
    attributes = tuple(f"$x^$_underparts_color::iridescent_{number}" for number in range(30))
    classes = tuple(f"$x^$.Black_throated_Blue_Warbler_{number}" for number in range(6))
    semantics = ClassSemantics(classes, attributes, torch.rand(6, 30) + 0.1)
    backbone = small_resnet(channels=3, natural_size=32)
    network = AttentionNet(backbone.region_dim, semantics)
    model = ZeroShotClassifier(backbone, network, semantics, classes[:3], gamma=0.3).eval()
    photo = torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8)
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, path: Path, **options: Any) -> None:
        figures.append(figure)
        save(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", kept)
    for top in (1, 7):
        found = explain(model, photo, top=top)
        save_explanation(found, tmp_path / "a.png", title="$x^$_warbler_0046_of_a_long_name_18.jpg")
        figure = figures.pop()
        boxes = {text.get_text(): text.get_window_extent() for text in texts_of(figure) if text.get_text()}
        assert sum("$x^$" in name for name in boxes) > 10
        for name, box in boxes.items():
            assert 0 <= box.x0 < box.x1 <= figure.bbox.width, name
            assert 0 <= box.y0 < box.y1 <= figure.bbox.height, name
        for (one, left), (other, right) in combinations(boxes.items(), 2):
            assert not left.overlaps(right), (one, other)


def test_one_candidate_needs_no_explanation(model: ZeroShotClassifier) -> None:
    table = ClassSemantics(("0",), model.semantics.attributes, model.semantics.values[:1])
    images = load_digits().inputs[:1]
    with pytest.raises(DataError, match="classes: expected at least two to choose among, got 1"):
        explain(model, images, candidates=table)


def test_attributes_that_were_found_are_separated_from_those_rightly_absent() -> None:
    # The classes of a table around its mean: what a class lacks is below 0.
    values = torch.tensor([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, 1.0, 1.0], [1.0, 1.0, -1.0, 1.0]])
    semantics = ClassSemantics(("robin", "crow", "gull"), ("red", "large", "bill", "white"), values)
    network = LinearRegressor(4, semantics)
    with torch.no_grad():
        network.readout.weight.copy_(torch.eye(4))
        network.readout.bias.zero_()
    model = ZeroShotClassifier(FeatureScaler(4), network, semantics, ["robin", "crow"])
    found = explain(model, torch.tensor([[0.9, -0.4, -0.1, -0.8]]))
    assert found.winner.name == "robin"
    assert [found.attributes[row] for row in found.in_favour(found=True)] == ["red"]
    assert [found.attributes[row] for row in found.in_favour(found=False)] == ["white", "large"]
    assert found.rows == (0,)
    content = json.loads(json.dumps(found.to_json()))
    names = {key: [part["attribute"] for part in content[key]] for key in ("found", "rightly_absent", "against")}
    assert names == {"found": ["red"], "rightly_absent": ["white", "large"], "against": ["bill"]}
    assert content["found"][0]["share"] == pytest.approx(20 * 0.9 / math.sqrt(0.81 + 0.16 + 0.01 + 0.64) / 2)
    assert content["maps"] is None
    assert content["score_of_gamma"] == 0.0
    assert content["score_of_attributes"] == pytest.approx(sum(part["share"] for key in names for part in content[key]))


def test_an_attribute_may_be_found_only_weakly() -> None:
    # The bird of the table has both in equal parts; in the image, "red" has less than half of what it has there.
    semantics = ClassSemantics(("robin", "crow"), ("red", "large", "bill"), torch.tensor([[1.0, 1, 0], [-1, 1, 0.0]]))
    network = LinearRegressor(3, semantics)
    with torch.no_grad():
        network.readout.weight.copy_(torch.eye(3))
        network.readout.bias.zero_()
    model = ZeroShotClassifier(FeatureScaler(3), network, semantics, ["robin"], gamma=0.1)
    for red, weak in ((0.30, True), (0.45, False), (-0.2, False)):
        found = explain(model, torch.tensor([[red, 1.0, 0.0]]))
        strength = red / math.hypot(red, 1.0) / math.sqrt(0.5)
        assert (found.winner.name == "robin") == (red > 0)
        assert found.weak.tolist() == [weak, False, False]
        assert weak == (0 < strength < 0.5)
        robin = [part["weak"] for part in found.to_json()["found"] if part["attribute"] == "red"]
        assert robin == ([weak] if red > 0 else [])


@pytest.mark.parametrize("alike", [True, False])
def test_maps_that_are_nearly_equal_are_drawn_once(
    model: ZeroShotClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alike: bool
) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    network = GEMNet(model.backbone.region_dim, model.semantics)
    if alike:
        torch.nn.init.ones_(network.query.weight)
    found = explain(
        ZeroShotClassifier(model.backbone, network, model.semantics, ["0"]), images, kind="attention", top=5
    )
    assert found.maps is not None
    pairs = np.corrcoef(found.maps.maps[0].flatten(1).numpy())[np.triu_indices(5, 1)]
    assert found.likeness == pytest.approx(pairs.mean(), abs=1e-5)
    assert found.one_map == alike == found.to_json()["maps"]["nearly_equal"]
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: figures.append(figure))
    save_explanation(found, tmp_path / "a.png")
    titles = [axes.get_title() for axes in figures[0].axes]
    assert sum("all 5 attributes" in title for title in titles) == alike
    assert sum("peak" in title for title in titles) == (1 if alike else 5)
    notes = [text.get_text() for panel in figures[0].subfigs for text in panel.texts]
    assert any("nearly equal (mean correlation 1.00)" in note for note in notes) == alike

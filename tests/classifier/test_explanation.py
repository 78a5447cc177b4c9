from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, explain
from rezsl.data import load_digits
from rezsl.errors import ArgumentError, DataError
from rezsl.models import AttentionNet, Bilinear, GEMNet, LinearRegressor
from rezsl.regions import FeatureScaler, small_resnet
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


def test_attention_lies_where_the_regions_lie(model: ZeroShotClassifier) -> None:
    images = load_digits().inputs[:3]
    assert isinstance(images, torch.Tensor)
    found = explain(model, images, 2)
    assert found.attention is not None
    assert found.elsewhere is not None
    assert found.image is not None
    assert found.image.shape == (1, 16, 16)
    assert isinstance(model.network, AttentionNet)
    batch = model.input_format.read(images, torch.tensor([2]))
    weights = model.network.attention(model.backbone(batch))[0]
    torch.testing.assert_close(found.attention[5, 1, 3], weights[5, 1 * 8 + 3].detach())
    torch.testing.assert_close(found.attention.sum(dim=(1, 2)) + found.elsewhere, torch.ones(51))


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
    found = explain(other, images)
    assert found.attention is not None
    weights = network.attention(other.backbone(other.input_format.read(images, torch.tensor([0]))))[0]
    torch.testing.assert_close(found.attention, weights.detach().unflatten(1, (8, 8)))


def test_a_model_without_attention_maps_or_cosines(model: ZeroShotClassifier) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    of_layer = Layered(model.backbone.region_dim, model.semantics)
    assert explain(ZeroShotClassifier(model.backbone, of_layer, model.semantics, ["0"]), images).attention is None
    bilinear = Bilinear(model.backbone.region_dim, model.semantics)
    with pytest.raises(ArgumentError, match="model: expected one whose class scores are cosines, got Bilinear"):
        explain(ZeroShotClassifier(model.backbone, bilinear, model.semantics, ["0"]), images)


def test_pictures_of_images_and_of_features(model: ZeroShotClassifier, tmp_path: Path) -> None:
    images = load_digits().inputs[:1]
    assert isinstance(images, torch.Tensor)
    found = explain(model, images)
    save_explanation(found, tmp_path / "a.png", ["narrow", "ink row 1 column 1"], title="a")
    semantics = model.semantics
    scaler = FeatureScaler(5)
    linear = ZeroShotClassifier(scaler, LinearRegressor(5, semantics), semantics, ["0"])
    of_features = explain(linear, torch.rand(2, 5), 1)
    assert of_features.image is None
    assert of_features.attention is None
    save_explanation(of_features, tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 800
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    with pytest.raises(ArgumentError, match="semantics: expected attributes of the model, got 'wings'"):
        save_explanation(found, tmp_path / "c.png", ["wings"])
    assert not (tmp_path / "c.png").exists()


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
    found = explain(model, torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8))
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, path: Path) -> None:
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(Figure, "savefig", kept)
    for top in (1, 7):
        save_explanation(found, tmp_path / "a.png", top=top, title="$x^$_warbler_0046_of_a_long_name_18.jpg")
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

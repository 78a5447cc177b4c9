import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, load_digits
from rezsl.evaluation import Analysis, analyse_model
from rezsl.models import GEMNet
from rezsl.report import ReportedRun, render_report
from rezsl.report._page_examples import SIDE, Example, examples_of
from rezsl.training import Batches, Training, fit
from tests.report.page_reader import Page

Trained = tuple[ZeroShotClassifier, Benchmark, Analysis]


@pytest.fixture(scope="module")
def trained() -> Trained:
    data = load_digits()
    model = fit(
        data, training=Training(max_epochs=1, batches=Batches(per_epoch=4), accelerator="cpu"), progress=False
    ).model
    return model, data, analyse_model(model, data)


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))))


def test_examples_are_images_of_their_class_with_the_models_choice(trained: Trained) -> None:
    model, data, analysis = trained
    found = examples_of(model, data, analysis)
    assert {one.name for one in found} == {"2", "5", "8"}
    images = model.input_format.read(data.inputs, torch.arange(len(data.labels)))[:, 0].numpy()
    for group in found:
        assert all(example.chosen == group.name for example in group.right)
        assert all(example.chosen != group.name for example in group.wrong)
        for example in (*group.right, *group.wrong):
            place = int(np.flatnonzero((images == decoded(example.picture)[:, :, 0]).all(axis=(1, 2)))[0])
            assert data.semantics.classes[int(data.labels[place])] == group.name
            prediction = model.predict_semantics(data.inputs, index=torch.tensor([place]))
            assert data.semantics.classes[int(model.scores(prediction).argmax())] == example.chosen


def test_the_first_of_each_side_shows_where_the_model_looked(trained: Trained) -> None:
    model, data, analysis = trained
    sides = [side for group in examples_of(model, data, analysis) for side in (group.right, group.wrong) if side]
    for first, *others in sides:
        assert first.attention is not None
        assert decoded(first.attention).shape == (SIDE, SIDE, 3)
        assert first.attribute in analysis.attributes
        assert first.peak >= 1.0
        assert all(other.attention is None for other in others)


def test_attention_of_gem_net_is_shown_too(trained: Trained) -> None:
    model, data, _ = trained
    torch.manual_seed(0)
    network = GEMNet(model.backbone.region_dim, model.semantics)
    other = ZeroShotClassifier(model.backbone, network, model.semantics, model.seen_classes).eval()
    groups = examples_of(other, data, analyse_model(other, data))
    firsts = [side[0] for group in groups for side in (group.right, group.wrong) if side]
    assert len(firsts) >= 3
    assert all(first.attention is not None and first.peak >= 1.0 for first in firsts)


def test_every_picture_in_the_page_has_words(trained: Trained) -> None:
    model, data, analysis = trained
    groups = examples_of(model, data, analysis)
    page = Page(render_report({"digits": ReportedRun(analysis, examples=groups)}))
    shown: list[Example] = [example for group in groups for example in (*group.right, *group.wrong)]
    assert len(page.all("img")) == len(shown) + sum(example.attention is not None for example in shown)
    assert all(picture["alt"] and picture["src"].startswith("data:image/") for picture in page.all("img"))

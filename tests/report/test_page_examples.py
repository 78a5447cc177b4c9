import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, Split, load_digits
from rezsl.evaluation import Analysis, analyse_model
from rezsl.models import GEMNet, LinearRegressor
from rezsl.report import ReportedRun, render_report, reported_run
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
        assert first.map is not None
        assert decoded(first.map).shape == (SIDE, SIDE, 3)
        assert first.attribute in analysis.attributes or first.attribute == "all 7 strongest attributes"
        assert all(other.map is None for other in others)


@pytest.mark.parametrize("kind", [GEMNet, LinearRegressor])
def test_maps_of_other_models_are_shown_too(trained: Trained, kind: type[GEMNet] | type[LinearRegressor]) -> None:
    model, data, _ = trained
    torch.manual_seed(0)
    network = kind(model.backbone.region_dim, model.semantics)
    other = ZeroShotClassifier(model.backbone, network, model.semantics, model.seen_classes).eval()
    groups = examples_of(other, data, analyse_model(other, data))
    firsts = [side[0] for group in groups for side in (group.right, group.wrong) if side]
    assert len(firsts) >= 3
    assert all(first.map is not None for first in firsts)


def test_every_picture_in_the_page_has_words(trained: Trained) -> None:
    model, data, analysis = trained
    groups = examples_of(model, data, analysis)
    page = Page(render_report({"digits": ReportedRun(analysis, examples=groups)}))
    shown: list[Example] = [example for group in groups for example in (*group.right, *group.wrong)]
    assert len(page.all("img")) == len(shown) + sum(group.map_of is not None for group in groups)
    assert all(picture["alt"] and picture["src"].startswith("data:image/") for picture in page.all("img"))


def test_without_test_images_the_page_is_that_of_the_validation(tmp_path: Path) -> None:
    """Some unseen classes have no images at all: the model of the selection stage, and its validation, stand in."""
    data = load_digits()
    split = replace(data.split, test_unseen=data.split.test_unseen[:0], test_seen=data.split.test_seen[:0])
    kept = torch.cat([split.trainval, data.split.test_seen]).sort().values
    assert isinstance(data.inputs, torch.Tensor)
    place = torch.full((len(data.labels),), -1)
    place[kept] = torch.arange(len(kept))
    groups = None if data.groups is None else data.groups[kept]
    without = Benchmark(
        "digits", data.inputs[kept], data.labels[kept], data.semantics,
        Split(place[split.trainval], split.test_seen, split.test_unseen), groups=groups,
    )  # fmt: skip
    training = Training(max_epochs=2, batches=Batches(per_epoch=4), accelerator="cpu")
    result = fit(without, training=training, progress=False, run_dir=tmp_path / "run")
    assert result.test is None
    reported = reported_run(result.model, without, tmp_path / "run")
    assert not reported.is_test
    assert reported.untested == ("2", "5", "8")
    # The numbers are those that the run printed and recorded, not those of the final model.
    assert reported.analysis.t1 == result.choice.t1
    assert reported.analysis.point.harmonic_mean == result.choice.harmonic_mean
    held_out = [
        name for name, seen in zip(reported.analysis.classes, reported.analysis.is_seen, strict=True) if not seen
    ]
    assert {group.name for group in reported.examples} == set(held_out)
    images = result.model.input_format.read(without.inputs, torch.arange(len(without.labels)))[:, 0].numpy()
    for group in reported.examples:
        for example in (*group.right, *group.wrong):
            assert example.map is None  # the final model was trained on this image
            found = np.flatnonzero((images == decoded(example.picture)[:, :, 0]).all(axis=(1, 2)))
            assert {without.semantics.classes[int(without.labels[row])] for row in found} == {group.name}
    text = " ".join(Page(render_report({"digits": reported})).texts)
    assert "From the validation stage: what can be expected" in text
    assert "3 unseen classes have no images, so nothing shows how well the model names them: 2, 5, 8." in text
    assert "Did γ carry over to the test classes?" not in text
    assert "best γ for these images" not in text
    assert "test images;" not in text

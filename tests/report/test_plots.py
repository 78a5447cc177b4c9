from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from rezsl.evaluation import Evaluation, GZSLEvaluator
from rezsl.functional import class_scores
from rezsl.report import save_error_matrix
from rezsl.report._plots import new_figure, plain_text, widen_axes
from rezsl.semantics import ClassSemantics


def result(values: torch.Tensor) -> Evaluation:
    """Predictions beside the truth, the last class unseen."""
    count, attributes = values.shape
    table = ClassSemantics(tuple(map(str, range(count))), tuple(map(str, range(attributes))), values)
    evaluator = GZSLEvaluator(table, table.classes, table.classes[:-1], class_scores)
    labels = torch.arange(count).repeat(4)
    noise = torch.randn(len(labels), attributes, generator=torch.Generator().manual_seed(1))
    evaluator.update(values[labels] + 0.3 * noise, labels)
    return evaluator.result(gamma=0.0)


def drawn(values: torch.Tensor, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Evaluation, Figure]:
    """A result, and the figure of its error matrix as it was saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, to: Any, **options: Any) -> None:
        figures.append(figure)
        save(figure, to, **options)

    monkeypatch.setattr(Figure, "savefig", kept)
    its_result = result(values)
    save_error_matrix(its_result, path / "matrix.png")
    assert (path / "matrix.png").stat().st_size > 10_000
    return its_result, figures[0]


def test_negative_semantics_are_drawn_in_a_colour_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generator: torch.Generator
) -> None:
    shown, figure = drawn(torch.randn(6, 5, generator=generator), tmp_path, monkeypatch)
    errors, semantics = (axes.images[0] for axes in figure.axes[:2])
    values = np.asarray(semantics.get_array())
    np.testing.assert_allclose(np.sort(values, axis=None), np.sort(shown.class_semantics.numpy(), axis=None))
    low, high = semantics.get_clim()
    assert low == -high < 0 < high
    red, blue = (semantics.to_rgba(values)[..., channel] for channel in (0, 2))
    clear = np.abs(values) > 0.1
    assert (values < 0).any()
    assert ((blue > red) == (values > 0))[clear].all()
    # Squared errors have no sign: nothing of theirs is below 0.
    assert errors.get_clim()[0] == 0
    assert errors.get_cmap() == mpl.colormaps["magma_r"]


def test_semantics_without_a_sign_keep_the_whole_range_of_one_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So sparse that the quantile is 0: the few values that there are must still be seen.
    values = torch.zeros(20, 300)
    values[:, 0] = torch.tensor([1.0, 2.0]).repeat(10)
    shown, figure = drawn(values, tmp_path, monkeypatch)
    # Too many columns to name them all: the worst twelve have names, the worst first.
    worst = shown.error_matrix.mean(dim=0).argsort(descending=True)[:12]
    assert [text.get_text() for text in figure.axes[0].texts] == [shown.attributes[column] for column in worst.tolist()]
    semantics = figure.axes[1].images[0]
    assert semantics.get_clim() == (0.0, 1.0)
    assert semantics.get_cmap() == mpl.colormaps["Blues"]


@pytest.mark.parametrize("values", [[1e-17, -2e-17, 0.0], [90.0, 90.0 + 1e-13], [3e-9, 4e-9], [5.0, 5.0], [61.0, 61.5]])
def test_no_axis_shows_rounding(values: list[float]) -> None:
    with plain_text():
        figure = new_figure(4.0, 3.0)
        axes = figure.subplots()
        axes.plot(values, range(len(values)), "o")
        widen_axes(figure)
        figure.canvas.draw()
        labels = [text.get_text() for text in axes.get_xticklabels() if text.get_text()]
        assert len(labels) >= 3
        assert all("e" not in text and len(text) <= 5 for text in labels)
        assert axes.xaxis.get_offset_text().get_text() == ""
        low, high = axes.get_xlim()
        assert low <= min(values) <= max(values) <= high


def test_very_long_and_chinese_names_leave_room_for_the_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "Common Eastern bumblebee queen (Bombus impatiens Cresson, 1863), spring generation, museum specimens"
    found = result(torch.eye(4, 3) + 0.1)
    figures: list[Figure] = []

    def kept(figure: Figure, _: Path) -> None:
        figure.draw_without_rendering()
        figures.append(figure)

    monkeypatch.setattr("rezsl.report._plots.save_figure", kept)
    save_error_matrix(replace(found, classes=(long, "猫", "c", "d")), tmp_path / "matrix.png")
    for axes in figures[0].axes[:2]:
        assert axes.get_window_extent().width > 0.3 * figures[0].bbox.width
        assert axes._left_title.get_window_extent().x1 <= figures[0].bbox.width  # type: ignore[attr-defined]

"""The page as one file, in a real browser, where there are Chromium and onnxruntime-web (make runtime)."""

from pathlib import Path

import pytest
import torch

from rezsl.classifier import ZeroShotClassifier, explain
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_digits
from rezsl.errors import DataError, MissingPackageError
from rezsl.models import LinearRegressor
from rezsl.play import save_page
from rezsl.play._standalone import PARTS, RUNTIME
from rezsl.regions import FeatureScaler
from tests.browser import Browser

RANKED = "[...document.querySelectorAll('#ranking li')].map((one) => [one.querySelector('.name').textContent, one.querySelector('.number').textContent])"
REASONS = "[...document.querySelectorAll('.found .reason')].map((one) => [one.querySelector('.name').textContent, Number(one.querySelector('.number').textContent)])"


def test_without_the_runtime_one_line_says_how_to_get_it(model: ZeroShotClassifier, tmp_path: Path) -> None:
    with pytest.raises(MissingPackageError, match="make runtime, or npm pack onnxruntime-web@") as caught:
        save_page(model, tmp_path / "page.html", "digits", runtime=tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "page.html").exists()


def test_a_model_of_features_has_no_page(tmp_path: Path) -> None:
    semantics = load_digits().semantics
    model = ZeroShotClassifier(FeatureScaler(6), LinearRegressor(6, semantics), semantics, ["0", "1"])
    with pytest.raises(DataError, match="got one of features"):
        save_page(model, tmp_path / "page.html", "features")


def test_the_command_for_a_run_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--format", "html"]) == USER_ERROR
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_the_file_recognises_and_explains_as_the_run(
    started: Browser, model: ZeroShotClassifier, photo: Path, tmp_path: Path
) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    if not all((RUNTIME / name).is_file() for name in PARTS.values()):
        pytest.skip("needs onnxruntime-web (make runtime)")
    page = save_page(model, tmp_path / "page.html", "digits")
    assert page.bytes < 30e6
    browser = started
    browser.view(1280)
    browser.open(page.path)
    browser.hand_over("drop", photo)
    shown = browser.wait(RANKED)
    answer, explanation = model.classify([photo], top=8)[0], explain(model, [photo])
    assert [name.removesuffix("\u00a0○") for name, _ in shown] == [item.name for item in answer]
    assert int(shown[0][1].removesuffix("\u00a0%")) == pytest.approx(100 * answer[0].probability, abs=0.6)
    assert ("None of these" in browser.run("document.querySelector('.verdict').textContent")) == answer.far
    found = explanation.in_favour(found=True)[:8]
    assert browser.run(REASONS) == [
        [explanation.attributes[row], pytest.approx(float(explanation.share[row]), abs=0.006)] for row in found
    ]
    browser.click(".reason")
    browser.wait("!document.querySelector('#picture canvas').hidden")
    browser.click("#add")
    browser.wait("document.querySelector('#ranking').textContent.includes('added')")
    row = model.semantics.values[model.semantics.index([answer[0].name])]
    table = torch.cat([model.semantics.values, row])
    changed = type(model.semantics)((*model.semantics.classes, "new class"), model.semantics.attributes, table)
    expected = {item.name: item.probability for item in model.classify([photo], changed, top=8)[0]}
    for name, share in browser.run(RANKED):
        if share.strip("<>\u00a0%").isdigit() and share[0].isdigit():
            assert int(share.removesuffix("\u00a0%")) == pytest.approx(
                100 * expected[name.removesuffix("\u00a0○")], abs=0.6
            )
    shown_strangeness = (
        browser.run("document.querySelector('#legend').textContent").split("Strangeness ")[1][:5].replace("−", "-")
    )
    assert float(shown_strangeness) == pytest.approx(model.classify([photo], changed)[0].strangeness, abs=0.006)
    assert browser.complaints == []

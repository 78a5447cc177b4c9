"""The page in a real browser: Chromium without a window, where there is one."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rezsl.evaluation import Analysis
from rezsl.report import ReportedRun, save_report
from tests.browser import Browser
from tests.report.test_page import analysis_of

pytestmark = pytest.mark.slow

CANVAS = "document.querySelector('section:not([hidden]) canvas')"
FRAME = "document.querySelector('section:not([hidden]) .frame')"
READOUT = "document.querySelector('section:not([hidden]) .readout').textContent"


@pytest.fixture(scope="module")
def analyses() -> dict[str, Analysis]:
    return {"first": analysis_of(8, 5, 6), "second": analysis_of(8, 5, 6, noise=0.9)}


@pytest.fixture(scope="module")
def page(analyses: dict[str, Analysis], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    settings = {"seed": 0, "data": {"sha256": "0123456789abcdef"}}
    save_report({name: ReportedRun(analysis, settings=settings) for name, analysis in analyses.items()}, path)
    return path


@pytest.fixture
def browser(started: Browser, page: Path) -> Iterator[Browser]:
    """At the page, with a mouse and a large window; whatever the page does to complain fails the test."""
    started.view(1280)
    started.open(page)
    yield started
    complaints, started.complaints = started.complaints, []
    assert complaints == []


def test_long_names_above_a_confusion_matrix_are_turned(started: Browser, tmp_path: Path) -> None:
    name = "a_class_of_birds_with_a_name_that_is_far_longer_than_its_column"
    save_report({"run": ReportedRun(analysis_of(16, 5, 4, name=name))}, tmp_path / "report.html")
    started.view(1280)
    started.open(tmp_path / "report.html")
    width, height, shown = started.run(
        "(() => { const table = document.querySelector('.confusion'), head = table.querySelector('thead').getBoundingClientRect();"
        " return [Math.max(...[...table.querySelectorAll('tbody td')].map((one) => one.offsetWidth)), head.height,"
        " [...table.querySelectorAll('thead span')].length]; })()"
    )
    assert shown == 12
    assert width < 100
    assert height < 300


def cell(browser: Browser, row: int, column: int, rows: int = 8, columns: int = 5) -> tuple[float, float]:
    """Where on the screen the middle of a cell is; how much room the names take is seen at the frame of the first."""
    browser.run(f"{CANVAS}.focus()")
    if browser.run("window.corner === undefined"):
        browser.press("ArrowUp")
        browser.run(f"{{ const picture = {CANVAS}.getBoundingClientRect(), first = {FRAME}.getBoundingClientRect();"
                    " window.corner = [first.x - picture.x, first.y - picture.y]; }")  # fmt: skip
    browser.run(f"{CANVAS}.scrollIntoView({{block: 'center'}})")
    left, top, width, height = browser.run(
        f"(() => {{ const box = {CANVAS}.getBoundingClientRect(), [x, y] = window.corner;"
        " return [box.x + x, box.y + y, box.width - x - 2, box.height - y - 2]; })()"
    )
    return left + (column + 0.5) * width / columns, top + (row + 0.5) * height / rows


def read(text: str) -> tuple[str, str, float, float]:
    """Class, semantic, value and error that a reader is told."""
    found = re.fullmatch(
        r"(.+) \((?:un)?seen, accuracy [\d.]+ %\) · (.+): value ([\d.−-]+), error ([\d.]+) ×10⁻³", text
    )
    assert found is not None, text
    return found[1], found[2], float(found[3]), float(found[4])


def expected(analysis: Analysis, name: str, semantic: str) -> tuple[str, str, Any, Any]:
    row, column = analysis.classes.index(name), analysis.attributes.index(semantic)
    value, error = float(analysis.class_semantics[row, column]), 1000 * float(analysis.error_matrix[row, column])
    return name, semantic, pytest.approx(value, abs=6e-4), pytest.approx(error, rel=6e-3)


def by_error(analysis: Analysis) -> list[str]:
    order = analysis.error_matrix.mean(dim=0).argsort(descending=True)
    return [analysis.attributes[column] for column in order.tolist()]


def test_pointing_at_a_cell_tells_class_semantic_value_and_error(
    browser: Browser, analyses: dict[str, Analysis]
) -> None:
    columns = by_error(analyses["first"])
    for row, column in ((0, 0), (3, 4), (7, 2)):
        browser.hover(*cell(browser, row, column))
        name, semantic, *_ = told = read(browser.run(READOUT))
        assert (name, semantic) == (f"class {row}", columns[column])
        assert told == expected(analyses["first"], name, semantic)


def test_semantics_are_sorted_as_asked(browser: Browser, analyses: dict[str, Analysis]) -> None:
    analysis = analyses["first"]
    by_value = analysis.class_semantics.mean(dim=0).argsort(descending=True)
    orders = {
        "table": list(analysis.attributes),
        "value": [analysis.attributes[column] for column in by_value.tolist()],
        "error": by_error(analysis),
    }
    for order, names in orders.items():
        browser.choose("[data-control=columns]", order)
        seen = []
        for column in range(5):
            browser.hover(*cell(browser, 1, column))
            seen.append(read(browser.run(READOUT))[1])
        assert seen == names
    browser.choose("[data-control=rows]", "error")
    browser.hover(*cell(browser, 0, 0))
    worst = analysis.classes[int(analysis.error_matrix.mean(dim=1).argmax())]
    assert read(browser.run(READOUT))[0] == worst


def test_a_sorted_matrix_keeps_its_chosen_cell(browser: Browser) -> None:
    browser.hover(*cell(browser, 2, 3))
    before = read(browser.run(READOUT))
    browser.choose("[data-control=columns]", "name")
    browser.press("ArrowDown")
    browser.press("ArrowUp")
    assert read(browser.run(READOUT)) == before


def test_the_keyboard_alone_walks_the_matrix(browser: Browser, analyses: dict[str, Analysis]) -> None:
    for _ in range(30):
        browser.press("Tab")
        if browser.run("document.activeElement.tagName") == "CANVAS":
            break
    assert browser.run(f"document.activeElement === {CANVAS}")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        browser.press(key)
    columns = by_error(analyses["first"])
    assert read(browser.run(READOUT))[:2] == ("class 1", columns[1])
    for _ in range(9):
        browser.press("ArrowRight")
    assert read(browser.run(READOUT))[:2] == ("class 1", columns[-1])


def test_another_run_is_another_matrix_and_another_answer(browser: Browser, analyses: dict[str, Analysis]) -> None:
    shown = "[...document.querySelectorAll('section:not([hidden]) h2')].map((one) => one.textContent)"
    parts = [
        "Classes: what is mistaken for what, and why",
        "Attributes: how evenly they are learnt",
        "All metrics, data and settings",
    ]
    assert browser.run(shown) == ["The runs side by side", "first: What the model recognises", *parts]
    browser.choose("#run-switch", "1")
    assert browser.run(shown) == ["The runs side by side", "second: What the model recognises", *parts]
    browser.hover(*cell(browser, 4, 0))
    name, semantic, *_ = told = read(browser.run(READOUT))
    assert (name, semantic) == ("class 4", by_error(analyses["second"])[0])
    assert told == expected(analyses["second"], name, semantic)


@pytest.mark.parametrize("width", [1280, 390])
def test_dark_and_light_at_every_width_without_overflow(browser: Browser, width: int, tmp_path: Path) -> None:
    paper = {}
    for theme in ("light", "dark"):
        browser.view(width, theme=theme)
        assert browser.run("document.documentElement.scrollWidth") <= width
        browser.screenshot(tmp_path / f"{theme}.png")
        with Image.open(tmp_path / f"{theme}.png") as picture:
            colors = picture.convert("RGB").getcolors(1 << 24)
        assert colors is not None
        assert len(colors) > 500  # figures and matrix are painted
        paper[theme] = max(colors)[1]
    assert paper == {"light": (255, 255, 255), "dark": (20, 23, 27)}
    browser.click("#theme-switch")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_text_and_marks_stand_out_in_both_themes(browser: Browser) -> None:
    """WCAG: 4.5 for text, 3 for what is drawn."""
    for theme in ("light", "dark"):
        browser.view(1280, theme=theme)
        colors = {
            name: browser.run(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
            for name in ("paper", "panel", "ink", "soft", "first", "second")
        }
        for name, least in (("ink", 7), ("soft", 4.5), ("first", 4.5), ("second", 3)):
            for ground in ("paper", "panel"):
                assert contrast(colors[name], colors[ground]) >= least, (theme, name, ground)


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        channels = torch.tensor([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        linear = torch.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ torch.tensor([0.2126, 0.7152, 0.0722]))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_paper_is_light_and_has_the_settings(browser: Browser, tmp_path: Path) -> None:
    browser.view(1280, theme="dark")
    browser.print(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    # What the page does around printing, seen from within.
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.documentElement.dataset.theme") == "light"
    assert browser.run("document.querySelector('section:not([hidden]) details[data-print]').open")
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.documentElement.dataset.theme ?? null") is None
    assert not browser.run("document.querySelector('section:not([hidden]) details[data-print]').open")


def test_names_that_try_to_break_out_stay_text(started: Browser, tmp_path: Path) -> None:
    hostile = '</script><img src=x onerror="document.title=1"><b>'
    save_report(
        {hostile: ReportedRun(analysis_of(6, 4, 4, name=hostile, noise=2.0), data=hostile)}, tmp_path / "page.html"
    )
    started.open(tmp_path / "page.html")
    started.painted()
    assert started.run("document.querySelectorAll('b, img').length") == 0
    assert hostile in started.run("document.title")
    assert started.complaints == []


def test_a_matrix_of_200_classes_and_312_semantics_follows_the_pointer(started: Browser, tmp_path: Path) -> None:
    analysis = analysis_of(200, 312, 150, each=2)
    save_report({"cub": ReportedRun(analysis)}, tmp_path / "page.html")
    started.view(1280)
    started.open(tmp_path / "page.html")
    x, y = cell(started, 170, 100, rows=200, columns=312)
    started.hover(x, y)
    assert read(started.run(READOUT))[0] == "class 170"
    # The names of the worst twelve columns stand above the matrix, apart from each other.
    started.run("window.named = []; const draw = CanvasRenderingContext2D.prototype.fillText; CanvasRenderingContext2D.prototype.fillText ="
                " function (text) { window.named.push([text, this.getTransform().e]); return draw.apply(this, arguments); };")  # fmt: skip
    started.run("dispatchEvent(new Event('resize'))")
    named = started.run("window.named")
    assert [text for text, _ in named] == by_error(analysis)[:12]
    assert all(right - left > 14 for (_, left), (_, right) in pairwise(named))
    # No part of the picture is painted anew for a hover, however many cells it has.
    started.run(
        "window.painted = 0; CanvasRenderingContext2D.prototype.fillRect = CanvasRenderingContext2D.prototype.drawImage = () => { window.painted++; };"
    )
    started.hover(x + 9, y)
    assert started.run("window.painted") == 0
    assert started.complaints == []

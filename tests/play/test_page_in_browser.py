"""The page in a real browser: Chromium without a window, where there is one."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import load_digits
from rezsl.semantics import ClassSemantics
from tests.browser import Browser

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytestmark = pytest.mark.slow

VERDICT, RANKED = (
    "document.querySelector('.verdict').textContent",
    "[...document.querySelectorAll('#ranking .name')].map((one) => one.textContent)",
)


# Words of at most 20 letters that lie on two lines; a name may break at its marks, where it is divided into several nodes.
BROKEN = r"""(() => {
  const found = [], nodes = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), range = document.createRange();
  while (nodes.nextNode()) {
    const node = nodes.currentNode;
    if (node.parentElement.closest(".unseen") || !node.parentElement.checkVisibility()) continue;
    for (const word of node.data.matchAll(/\d+\s%|[^ ]+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (word[0].length <= 20 && lines.size > 1) found.push(word[0]);
    }
  }
  return found;
})()"""


@pytest.fixture
def browser(started: Browser, address: str) -> Iterator[Browser]:
    """At the page, with a mouse and a large window; whatever the page does to complain fails the test."""
    started.view(1280)
    started.open(f"http://{address}/")
    yield started
    complaints, started.complaints = started.complaints, []
    assert complaints == []


def dropped(browser: Browser, photo: Path, event: str = "drop") -> list[str]:
    browser.hand_over(event, photo)
    browser.wait("document.querySelectorAll('#ranking li').length")
    names: list[str] = browser.run(RANKED)
    return [name.removesuffix("\u00a0○") for name in names]


def expected(model: ZeroShotClassifier, photo: Path, table: ClassSemantics | None = None) -> list[str]:
    return [item.name for item in model.classify([photo], table, top=8)[0]]


def table_of(browser: Browser, folder: Path) -> ClassSemantics:
    """The table as the page saves it."""
    browser.run(
        "globalThis.saved = null; URL.createObjectURL = ((make) => (blob) => { blob.text().then((text) => { globalThis.saved = text; }); return make.call(URL, blob); })(URL.createObjectURL)"
    )
    browser.send("Browser.setDownloadBehavior", behavior="deny")
    browser.click("#save")
    path = folder / "classes.csv"
    path.write_text(browser.wait("globalThis.saved"), encoding="utf-8")
    return ClassSemantics.from_csv(path)


def fill(browser: Browser, selector: str, text: str) -> None:
    """As a reader does who replaces the text of a field and leaves it."""
    browser.run(f"{{ const one = document.querySelector({json.dumps(selector)}); one.focus(); one.select(); }}")
    browser.type(text)
    browser.run("document.activeElement.blur()")


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted_and_recognised(
    browser: Browser, model: ZeroShotClassifier, photo: Path, event: str
) -> None:
    assert dropped(browser, photo, event) == expected(model, photo)
    answer = model.classify([photo])[0]
    best = "None of these classes" if answer.far else answer[0].name
    assert browser.run(VERDICT).startswith(best)


def test_a_photo_is_chosen_and_another_one_too(
    browser: Browser, model: ZeroShotClassifier, photo: Path, tmp_path: Path
) -> None:
    browser.choose_file("#choose", photo)
    browser.wait("document.querySelectorAll('#ranking li').length")
    other = tmp_path / "other.txt"
    other.write_text("no photo")
    browser.choose_file("#choose", other)
    assert browser.wait("document.querySelector('#message').textContent").startswith("other.txt: expected an image")
    # The browser itself reports the refusal of the server, and nothing else is a complaint.
    assert [line for line in browser.complaints if "422" not in line] == []
    browser.complaints.clear()


def test_a_new_class_is_added_renamed_changed_undone_and_saved(
    browser: Browser, model: ZeroShotClassifier, photo: Path, tmp_path: Path
) -> None:
    first = dropped(browser, photo)
    browser.click("#add")
    fill(browser, "#class-name", '=8, "tall"')
    fill(browser, "input[type=number][aria-label^='roundness']", "0.123")
    browser.wait("document.querySelector('#ranking').textContent.includes('added')")
    table = table_of(browser, tmp_path)
    own = model.semantics
    assert table.classes == (*own.classes, '=8, "tall"')
    assert torch.equal(table.values[:-1], own.values)
    changed = own.values[own.classes.index(first[0])].clone()
    changed[own.attributes.index("roundness")] = 0.123
    assert torch.equal(table.values[-1], changed)
    assert browser.wait(RANKED, lambda names: len(names) == 8)
    assert [name.removesuffix("\u00a0○") for name in browser.run(RANKED)] == expected(model, photo, table)
    for _ in range(3):  # the value, the name, the class
        browser.click("#undo")
    browser.wait(f"document.querySelector('#undo').disabled && !{RANKED}.join().includes('tall')")
    assert table_of(browser, tmp_path).classes == own.classes
    for _ in range(3):
        browser.click("#redo")
    assert torch.equal(table_of(browser, tmp_path).values, table.values)


def test_the_table_that_is_saved_unchanged_is_the_models(
    browser: Browser, model: ZeroShotClassifier, tmp_path: Path
) -> None:
    table = table_of(browser, tmp_path)
    assert (table.classes, table.attributes) == (model.semantics.classes, model.semantics.attributes)
    assert torch.equal(table.values, model.semantics.values)


def test_a_class_is_removed_and_a_changed_one_put_back(
    browser: Browser, model: ZeroShotClassifier, photo: Path, tmp_path: Path
) -> None:
    first = dropped(browser, photo)
    browser.click("#ranking button")
    assert browser.run("document.querySelector('#class-name').value") == first[0]
    browser.click("#remove")
    left = model.semantics.only([name for name in model.semantics.classes if name != first[0]])
    browser.wait(RANKED, lambda names: first[0] not in [name[:1] for name in names])
    assert [name.removesuffix("\u00a0○") for name in browser.run(RANKED)] == expected(model, photo, left)
    browser.press("z", control=True)
    browser.wait(RANKED, lambda names: names[0][:1] == first[0])
    fill(browser, "input[type=number][aria-label^='narrow']", "0.9")
    browser.wait("!document.querySelector('#restore').hidden")
    browser.click("#restore")
    assert torch.equal(table_of(browser, tmp_path).values, model.semantics.values)


@pytest.mark.parametrize(
    "text",
    [
        "narrow\tRoundness\tclass\n0,25\t40 %\tnew\n",
        "class;roundness;narrow\nnew;0,4;0,25\n",
        "class,roundness,narrow\nnew,0.4,.25\n",
        "attribute\tnew\nnarrow\t0,25\nroundness\t0,4",
        'class\tnarrow\troundness\tno such\n"new"\t0.25\t0.4\t7\n',
    ],
)
def test_a_pasted_row_in_any_order_becomes_a_class(
    browser: Browser, model: ZeroShotClassifier, tmp_path: Path, text: str
) -> None:
    browser.click("#paste")
    browser.run(f"document.querySelector('#pasted').value = {json.dumps(text)}")
    browser.click("#pasting button")
    assert ("no such" in browser.run("document.querySelector('#message').textContent")) == ("no such" in text)
    table = table_of(browser, tmp_path)
    own = model.semantics
    row = own.values.mean(dim=0)
    row[own.attributes.index("narrow")], row[own.attributes.index("roundness")] = 0.25, 0.4
    assert table.classes == (*own.classes, "new")
    assert torch.allclose(table.values[-1], row, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "nothing to take"),
        ("0.1\t0.2", "Expected names of attributes"),
        ("class\tnarrow", "Expected a row of values"),
        ("class\tnarrow\na\tquite", "got “quite”"),
    ],
)
def test_rows_that_cannot_be_read_change_nothing(browser: Browser, text: str, problem: str) -> None:
    browser.click("#paste")
    browser.run(f"document.querySelector('#pasted').value = {json.dumps(text)}")
    browser.click("#pasting button")
    assert problem in browser.run("document.querySelector('#message').textContent")
    assert browser.run("document.querySelector('#undo').disabled")


def test_rows_are_read_as_the_package_reads_a_table(
    browser: Browser, model: ZeroShotClassifier, tmp_path: Path
) -> None:
    names = model.semantics.attributes
    cells = ["yes", "NO", "x", "40 %", "0,5", "−1", "1e-1", ".5", "wahr", "✓"]
    rows = [["class", *names], ["new", *(cells[column % len(cells)] for column in range(len(names)))]]
    path = tmp_path / "new.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows(rows)
    browser.click("#paste")
    browser.run(f"document.querySelector('#pasted').value = {json.dumps(path.read_text(encoding='utf-8'))}")
    browser.click("#pasting button")
    assert torch.equal(table_of(browser, tmp_path).values[-1], ClassSemantics.from_csv(path).values[0])


def test_the_map_of_an_attribute_is_shown_over_the_photo(browser: Browser, photo: Path) -> None:
    dropped(browser, photo)
    browser.click(".reason")
    browser.wait("!document.querySelector('#picture canvas').hidden")
    name = browser.run("document.querySelector('.reason .name').textContent")
    assert browser.run("document.querySelector('.reason').getAttribute('aria-pressed')") == "true"
    assert browser.run("document.querySelector('#picture img').alt") == f"Map of {name} over the photo"
    browser.choose("#map-kind", "attention")
    browser.wait("document.querySelector('#map-note').textContent.includes('attention')")
    browser.click(".reason")
    assert browser.run("document.querySelector('#picture canvas').hidden")


def test_the_keyboard_alone_adds_a_class_and_moves_a_slider(browser: Browser, photo: Path) -> None:
    dropped(browser, photo)
    steps, wanted = 0, ["add", "class-name", "slider"]
    seen: list[str] = []
    focused = "(() => { const one = document.activeElement; return one.type === 'range' ? 'slider' : one.id; })()"
    while wanted and steps < 200:
        browser.press("Tab")
        steps += 1
        name = browser.run(focused)
        seen.append(name)
        if name == wanted[0]:
            wanted.pop(0)
            if name == "add":
                browser.press(" ")
                assert browser.run(focused) == "class-name"  # where the name can be typed at once
                wanted.remove("class-name")
                browser.type("by keyboard")
            else:
                for _ in range(3):
                    browser.press("ArrowLeft")
    assert not wanted, seen
    browser.wait(f"{RANKED}.join().includes('by keyboard')")
    browser.press("z", control=True)  # the three steps of the slider are one
    browser.press("z", control=True)
    assert browser.run("document.querySelector('#class-name').value") == "new class"
    assert not browser.run("document.querySelector('#undo').disabled")


def test_everything_has_a_name_for_screen_readers(browser: Browser, photo: Path) -> None:
    dropped(browser, photo)
    attributes = load_digits().semantics.attributes
    assert browser.named("slider") == list(attributes)
    assert browser.named("spinbutton") == [f"{name}, as a number" for name in attributes]
    for role in ("button", "textbox", "searchbox", "combobox", "checkbox", "link", "image"):
        assert all(browser.named(role)), role
    assert {"Undo", "Redo", "Save table", "Dark theme", "Add a class"} <= set(browser.named("button"))
    assert browser.named("image")[0].startswith("seven.png, as the model receives it")
    assert any("Choose a photo" in name or "Another photo" in name for name in browser.named("button"))


@pytest.mark.parametrize("width", [320, 390, 760, 1280])
def test_no_width_needs_scrolling_sideways(browser: Browser, photo: Path, width: int) -> None:
    browser.view(width)
    dropped(browser, photo)
    browser.click("#add")
    browser.run(f"document.querySelector('#class-name').value = {'x' * 200!r};"
                "document.querySelector('#class-name').dispatchEvent(new Event('change'))")  # fmt: skip
    browser.wait(f"{RANKED}.join().includes('xxxx')")
    browser.painted()
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_no_word_is_broken_and_no_percent_sign_begins_a_line(
    browser: Browser, model: ZeroShotClassifier, photo: Path
) -> None:
    browser.view(320)
    best = dropped(browser, photo)[0]
    browser.click("#add")
    fill(browser, "#class-name", "has_bill_length::about_the_same_as_the_head_of_a_gull")
    browser.wait(f"{RANKED}.join().includes('gull')")
    browser.click(".reason")
    browser.wait("!document.querySelector('#map-note').hidden")
    assert browser.run("document.querySelector('#class-about').textContent").endswith(f"values of “{best}”.")
    assert "“has_bill_length::about" in browser.run("document.querySelector('#why-note').textContent")
    assert "γ = 0.70 is subtracted" in browser.run("document.querySelector('#legend').textContent")
    assert browser.run(BROKEN) == []


def test_on_a_phone_a_bar_repeats_the_answer_that_is_out_of_sight(browser: Browser, photo: Path) -> None:
    browser.view(390, 844)
    best = dropped(browser, photo)[0]
    browser.run("document.querySelector('#editor').scrollIntoView()")
    browser.wait("!document.querySelector('#bar').hidden")
    assert best in browser.run("document.querySelector('#bar').textContent") or "None" in browser.run(
        "document.querySelector('#bar').textContent"
    )


def test_the_theme_follows_the_system_and_the_button(browser: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = browser.run(background)
    browser.view(1280, theme="dark")
    dark = browser.run(background)
    assert dark != light
    browser.click("#theme-switch")
    assert browser.run(background) == light


def test_names_of_a_stranger_are_text(browser: Browser) -> None:
    assert browser.run("document.querySelector('h1').textContent").startswith("digits </script><b>&")
    assert browser.run("document.querySelector('h1 b')") is None


def test_classes_and_attributes_are_searched(browser: Browser) -> None:
    shown: dict[str, Any] = {}
    for selector, text, counted in (
        ("#class-search", "5", "#class-list li"),
        ("#editor input[type=search]", "stroke", "#editor .field:not([hidden])"),
    ):
        browser.run(
            f"{{ const one = document.querySelector({selector!r}); one.value = {text!r}; one.dispatchEvent(new Event('input')); }}"
        )
        shown[text] = browser.run(f"document.querySelectorAll({counted!r}).length")
    strokes = sum("stroke" in name for name in load_digits().semantics.attributes)
    assert shown == {"5": 1, "stroke": strokes}

"""The table of ``rezsl predict``, whatever the names are and however many classes are asked for."""

import pytest

from rezsl.classifier import Answer, Ranked
from rezsl.cli._answers import print_table, shortened_path

FOLDER = "photos of the year/taken in the northern warehouse/give way"


def answer(names: list[str], far: bool = False) -> Answer:
    ranked = [Ranked(name, 1.0, 1 / (place + 2), place % 2 == 0) for place, name in enumerate(names)]
    return Answer(ranked, 1.0 if far else -1.0)


def printed(
    names: list[str], answers: list[Answer], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> list[str]:  # fmt: skip
    monkeypatch.setenv("COLUMNS", str(width))
    capsys.readouterr()
    print_table(names, answers)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    return lines


def test_short_answers_are_side_by_side(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [answer(["cat", "dog[1]"]), answer(["cat", "dog[1]"], far=True)]
    lines = printed(["a.png", "b.png"], found, capsys, monkeypatch, 80)
    assert [line.split() for line in lines[1:5] if "─" not in line] == [
        ["input", "1.", "2."],
        ["a.png", "cat", "50", "%", "dog[1]", "*", "33", "%"],
        ["b.png", "far", "from", "every", "description"],
    ]
    assert any(line.startswith("far from every description: unlike") for line in lines)
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize(
    "classes",
    [
        [f"class {number}" for number in range(99)],
        ["end of the speed limit of 80 km/h for lorries", "a second class with a name that is longer still", "c"],
        ["x" * 200, "y"],
    ],
)
def test_long_answers_fit_with_a_line_for_each_class(
    classes: list[str], width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [f"{FOLDER}/0001{number}_00003.png" for number in range(3)]
    answers = [answer(classes), answer(classes, far=True), answer(classes)]
    lines = printed(files, answers, capsys, monkeypatch, width)
    rows = [line for line in lines if "%" in line]
    assert len(rows) == 2 * len(classes)
    for number in range(3):
        assert sum(f"/0001{number}_00003.png" in line for line in lines) == 1
    for place, name in enumerate(classes):
        row = rows[place]
        beginning = row.split("png", 1)[-1].split()[0] if place == 0 else row.split()[0]
        assert name.startswith(beginning.partition("…")[0])
        assert name in row or "…" in row
        assert ("*" in row) == (place % 2 == 1)
        assert row.rstrip().endswith(f"{100 / (place + 2):.0f} %")
    assert "--format csv has all of it" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("path", "most", "expected"),
    [
        ("a/b/c.png", 9, "a/b/c.png"),
        ("a/b/c.png", 8, "…/c.png"),
        ("/abs/photos/c.png", 14, "…/photos/c.png"),
        ("a/a-very-long-name-0001.png", 14, "a-very…001.png"),
        ("rows.npy row 17", 20, "rows.npy row 17"),
    ],
)
def test_folders_are_left_out_before_the_name_is_cut(path: str, most: int, expected: str) -> None:
    assert shortened_path(path, most) == expected
    assert len(expected) <= most

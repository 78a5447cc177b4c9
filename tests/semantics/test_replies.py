"""Prompts for language models, and replies as people copy them."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch

from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics, read_reply, semantics_prompt

CLASSES, ATTRIBUTES = ("polar_bear", "zebra", "owl"), ("striped", "has wings", "white, pale")
VALUES = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.5], [0.2, 1.0, 0.3]]
TABLE = """class,striped,has wings,"white, pale"
polar_bear,0,0,1
zebra,1,0,0.5
owl,0.2,1,0.3
"""
FENCED = f"""Sure! Here is the table, with striped, winged and white animals:

```csv
{TABLE}```

Note that **owls**, of course, differ. Shall I go on, or not?
"""
MARKDOWN = """| Class | **Striped** | Has Wings | white, pale |
|:---|---:|---:|---:|
| Polar Bear | no | no | 100 % |
| `zebra` | yes | 0 | 50% |
| owl | .2 | 1 | 0.3 |
"""
TURNED = """attribute;polar bear;zebra;owl
striped;0;1;0,2
has wings;0;0;1
white, pale;1;0,5;0,3
"""
IN_PARTS = """class,striped,has wings,"white, pale"
polar_bear,0,0,1

I continue:

class,striped,has wings,"white, pale"
zebra,1,0,0.5
owl,0.2,1,0.3
"""


def reply(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "reply.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [TABLE, FENCED, MARKDOWN, TURNED, IN_PARTS, FENCED.replace("\n", "\r\n")])
def test_a_reply_is_read_in_any_of_its_forms(text: str, tmp_path: Path) -> None:
    found = read_reply(reply(tmp_path, text), CLASSES, ATTRIBUTES, author="Model 1")
    assert found.problems == ()
    assert (found.semantics.classes, found.semantics.attributes) == (CLASSES, ATTRIBUTES)
    torch.testing.assert_close(found.semantics.values, torch.tensor(VALUES))
    assert found.semantics.drafted == "Model 1 in reply.txt"
    assert len(found.semantics.notes) == 1


def test_what_is_missing_and_what_is_too_much_is_named(tmp_path: Path) -> None:
    text = "class,striped,tail,has wings\nzebra,1,1,0\nlion,0,1,0\nowl,?,0,1\n"
    found = read_reply(reply(tmp_path, text), CLASSES, ATTRIBUTES)
    assert found.semantics.classes == ("zebra", "owl")
    assert found.problems == (
        "classes without a row, which the table lacks: 'polar_bear'",
        "attributes without a value, which the table lacks: 'white, pale'",
        "rows of other names, which are left out: 'lion'",
        "columns of other names, which are left out: 'tail'",
    )
    assert found.semantics.values.tolist() == [[1, 0], [1, 1]]  # the unknown cell has the mean of the others
    assert "1 unknown cell took the mean" in found.semantics.notes[1]


def test_the_last_of_several_values_counts(tmp_path: Path) -> None:
    text = f"{TABLE}\nSorry, I correct one row:\n\n{TABLE.splitlines()[0]}\nowl,0.9,1,0.3\n"
    found = read_reply(reply(tmp_path, text), CLASSES, ATTRIBUTES)
    assert found.semantics.values[2, 0] == pytest.approx(0.9)
    assert "1 cell occurs more than once with another value; the last one counts" in found.semantics.notes[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I cannot do that, sorry.", r"expected a table whose header has names of attributes .* got none; ask for"),
        (TABLE.replace("zebra,1,0", "zebra,1"), "line 3: expected 4 cells, as in the header, got 3 for 'zebra'"),
        (TABLE.replace("zebra,1", "zebra,mostly"), "line 3, attribute 'striped': expected a number, .* got 'mostly'"),
        (TABLE.replace("zebra,1", "zebra,8"), "line 3, attribute 'striped': expected a number from 0 to 1, got '8'"),
        ("class,striped\nzebra,?\nowl,?\n", "expected a known value for class 'zebra', got none"),
        ("", "got none"),
    ],
)
def test_a_reply_that_is_no_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_reply(reply(tmp_path, text), CLASSES, ATTRIBUTES)


def test_names_that_occur_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="classes: expected unique names, got 'zebra' more than once"):
        read_reply(reply(tmp_path, TABLE), ("zebra", "zebra "), ATTRIBUTES)
    with pytest.raises(ArgumentError, match="attributes: expected at least one name, got none"):
        semantics_prompt(CLASSES, ())


def test_the_reply_that_a_prompt_asks_for_is_read(tmp_path: Path) -> None:
    text = semantics_prompt(CLASSES, ATTRIBUTES, kind="animals")
    assert "3 classes of animals by 3 attributes" in text
    for name in (*CLASSES, *ATTRIBUTES):
        assert f"\n- {name}\n" in text
    header = text.rpartition("```csv\n")[2].partition("```")[0]
    assert header == TABLE.splitlines()[0] + "\n"
    lines = [f"{name},{','.join(map(str, row))}" for name, row in zip(CLASSES, VALUES, strict=True)]
    found = read_reply(reply(tmp_path, header + "\n".join(lines)), CLASSES, ATTRIBUTES)
    torch.testing.assert_close(found.semantics.values, torch.tensor(VALUES))


def test_a_prompt_shows_the_first_rows_of_people(tmp_path: Path) -> None:
    people = ClassSemantics(("lion", "swan"), ATTRIBUTES[::-1], torch.tensor([[0.25, 0, 0.0], [1, 1, 0]]))
    text = semantics_prompt(CLASSES, ATTRIBUTES, examples=people, most_examples=1)
    assert "lion,0,0,0.25\n```" in text
    assert "swan" not in text
    with pytest.raises(DataError, match="got none of 'furry'; add it"):
        semantics_prompt(CLASSES, ("furry",), examples=people)


def test_any_text_is_read_or_refused(tmp_path: Path, generator: torch.Generator) -> None:
    parts = [
        "class,striped",
        "zebra,1",
        "owl,0.5",
        "owl",
        ",0",
        "|",
        ";",
        '"',
        "?",
        "```",
        "\t",
        "\n",
        "\n",
        "\n",
        "\n",
    ]
    read = 0
    for _ in range(150):
        text = "".join(parts[index] for index in torch.randint(len(parts), (40,), generator=generator).tolist())
        with suppress(DataError):
            read += len(read_reply(reply(tmp_path, text), CLASSES, ATTRIBUTES).semantics.classes)
    assert read

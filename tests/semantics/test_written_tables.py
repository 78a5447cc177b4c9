"""Tables as people write them are read with a note on every decision, or refused with file, line and column."""

from pathlib import Path

import pytest

from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics


def read(folder: Path, text: str, *known: str, encoding: str = "utf-8") -> ClassSemantics:
    (folder / "semantics.csv").write_text(text, encoding=encoding, newline="")
    return ClassSemantics.from_csv(folder / "semantics.csv", known)


@pytest.mark.parametrize(
    "text",
    [
        "class,fur,size\ncat,yes,0.4\nowl,no,0.25\n",
        "class;fur;size\ncat;yes;0,4\nowl;no;0,25\n",
        "class;fur;size\ncat;yes;0.4\nowl;no;0.25\n",
        "class\tfur\tsize\r\ncat\tTrue\t40%\r\nowl\tFALSE\t25 %\r\n",
        "sep=;\nclass;fur;size;;\ncat;x;40\u00a0%;;\nowl;n;,25;;\n",
        "sep=,\nCLASS,fur,size\ncat,Y,40 %\nowl,0,0.25\n",
        "class,fur,size\n cat ,X,+0.4\nowl,,2.5e-1\n",
        "attribute,cat,owl\nfur,yes,no\nsize,0.4,0.25\n",
        "class;fur;size\ncat;Ja;0,4\nowl;nein;0,25\n",
        "class;fur;size\ncat;WAHR;0,4\nowl;FALSCH;0,25\n",
        "class;fur;size\ncat;oui;0,4\nowl;non;0,25\n",
        "class;fur;size\ncat;SÍ;0,4\nowl;no;0,25\n",
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, text, encoding="utf-8-sig")
    assert (table.classes, table.attributes) == (("cat", "owl"), ("fur", "size"))
    assert table.values.tolist() == [[1, pytest.approx(0.4)], [0, 0.25]]


def test_a_semicolon_separates_even_beside_more_commas(tmp_path: Path) -> None:
    table = read(tmp_path, "class;length, mm;width, mm\nbolt;20,5;5\nnut;4;8,0\n")
    assert table.attributes == ("length, mm", "width, mm")
    assert table.values.tolist() == [[20.5, 5], [4, 8]]


def test_unknown_values_take_the_mean_of_the_known_ones(tmp_path: Path) -> None:
    table = read(tmp_path, "class,fur,size\ncat,1,\nowl,?,2\nbat,0.4,5\nfox,N/A,5\n")
    expected = [[1, 4], [0.7, 2], [0.4, 5], [0.7, 5]]
    for row, numbers in zip(table.values.tolist(), expected, strict=True):
        assert row == pytest.approx(numbers)
    assert table.notes == (
        "semantics.csv: 3 unknown cells took the mean of the attribute over the classes where it is known: "
        "'size' of 'cat', 'fur' of 'owl', 'fur' of 'fox'",
    )


def test_a_blank_beside_x_means_no_and_a_question_mark_does_not(tmp_path: Path) -> None:
    table = read(tmp_path, "class,fur,wings,size\ncat,x,,1\nowl,,x,2\nbat,?,x,3\n")
    assert table.values.tolist() == [[1, 0, 1], [0, 1, 2], [0.5, 1, 3]]
    assert table.notes == (
        "semantics.csv: a blank cell means no where all others of the attribute are x: 'fur', 'wings'",
        "semantics.csv: 1 unknown cell took the mean of the attribute over the classes where it is known: 'fur' of 'bat'",
    )
    assert read(tmp_path, "class,fur,size\ncat,x,1\nowl,,2\nbat,no,3\n").values.tolist() == [[1, 1], [0.5, 2], [0, 3]]


def test_known_classes_say_which_way_up_the_table_is(tmp_path: Path) -> None:
    turned = read(tmp_path, "property,Cat,owl,bat\nfur,1,0,?\nwings,0,1,1\n", "cat", "owl")
    assert turned.classes == ("Cat", "owl", "bat")
    assert turned.attributes == ("fur", "wings")
    assert turned.values.tolist() == [[1, 0], [0, 1], [0.5, 1]]
    assert "semantics.csv has a row per attribute and a column per class, and was read so" in turned.notes
    # An attribute may have the name of a class, and the first column any heading where it names classes.
    upright = read(tmp_path, "Tier,owl,fur\ncat,0,1\nowl,1,0\n", "cat", "owl")
    assert (upright.classes, upright.notes) == (("cat", "owl"), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,fur\ncat,-\n", "line 2, attribute 'fur': expected a number, a percentage, yes, no, x, or ? for an"),
        ("class,fur\ncat,\"0,5\"\n", "line 2, attribute 'fur': expected a number"),
        ("class,fur\ncat,1_0\n", "line 2, attribute 'fur': expected a number"),
        ("attribute,cat,owl\nfur,1,0\nsize,big,1\n", "line 3, class 'cat': expected a number"),
        ("class;fur;size\ncat;0,5;1\nowl;1;1.250\n", "got '0,5' at"),
        ("class,fur\ncat,40 %\nowl,35\n", "line 3, attribute 'fur': expected a number from -1 to 1 beside words or per"),
        ("class,fur\ncat,yes\nowl,2\n", "line 3, attribute 'fur': expected a number from -1 to 1 beside words"),
        ("class,fur,size\ncat,1,?\nowl,0,\n", "semantics.csv: expected a known value for attribute 'size', got none"),
        ("class,fur,size\ncat,1,2\n\nowl,?,\n", "line 4: expected a known value for class 'owl', got none; fill in"),
        ("attribute,cat,owl\nfur,1,0\nsize,?,?\n", "line 3: expected a known value for attribute 'size', got none"),
        ("class,fur\ncat,1\nowl,0.5\ncat,0\n", "line 4: expected unique names, got 'cat' again, which is in line 2"),
        ("class,fur,size\ncat,1,big\nowl,maybe,1\nbat,1,small\n", "line 2, attribute 'size': expected a number, a percentage, yes, no, x, or ? for an unknown value, got 'big'; the same holds for 2 other cells; correct the cell"),
        ("attribute,cat,owl\nfur,1,many\nsize,big,1\n", "line 2, class 'owl': expected a number, a percentage, yes, no, x, or ? for an unknown value, got 'many'; the same holds for 1 other cell; correct the cell"),
        ("class,fur\ncat,40 %\nowl,35\nbat,20\n", "got '35'; the same holds for 1 other cell; write the attribute in one way"),
        ("class,fur\ncat,1\nowl\nbat,1,1\nfox\n", "line 3: expected 2 cells, got 1; the same holds for 2 other lines; correct the file"),
        ("attribute,cat\nfur,1\nfur,0\n", "line 3: expected unique names, got 'fur' again, which is in line 2; keep"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "semantics.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings_of_spreadsheets_are_read_alike(tmp_path: Path, encoding: str) -> None:
    table = read(tmp_path, "class;größe\ncafé;0,5\n", encoding=encoding)
    assert (table.classes, table.attributes, table.values.tolist()) == (("café",), ("größe",), [[0.5]])
    guessed = ("semantics.csv is no UTF-8, and was read as Windows-1252; save it as UTF-8 if names look wrong",)
    assert table.notes == (guessed if encoding == "cp1252" else ())


def test_an_unknown_class_gets_the_name_that_was_meant(tmp_path: Path) -> None:
    table = read(tmp_path, "class,a,b\nGive Way,1,0\nstop,0,1\n")
    with pytest.raises(DataError, match=r"rows for 'give_way', got none; .*; did you mean 'Give Way'\?$"):
        table.index(["stop", "give_way"])
    with pytest.raises(DataError, match=r"did you mean 'Give Way' by 'give-way', 'stop' by 'stopp'\?$"):
        table.index(["give-way", "stopp", "zebra"])
    with pytest.raises(DataError, match=r"add a row for each to the table$"):
        table.index(["zebra"])
    # A row that is joined already, or suggested already, is not the one that was meant.
    with pytest.raises(DataError, match=r"rows for 'stopp', got none; add a row for each to the table$"):
        table.index(["stop", "stopp"])
    with pytest.raises(DataError, match=r"did you mean 'stop' by 'stopp'\?$"):
        table.index(["stopp", "sstop"])

"""Names from files are escaped where they leave: in terminals, spreadsheets, Markdown, LaTeX and pages."""

import csv
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.table import Table

from rezsl.cli._output import printable_output
from rezsl.cli.main import USER_ERROR, main
from rezsl.errors import DataError, one_line_of, printable
from rezsl.files import csv_text, read_csv
from rezsl.report._tables import _latex, _markdown
from rezsl.terminal import Terminal

ESCAPES = [
    "\x1b[2Jcat", "\x1b]0;title\x07", "\x9b31mcat", "cat\rdog", "cat\x08\x08\x08dog", "\x1b]8;;http://a\x1b\\cat",
    "\u202etac", "a\u2066b", "\x00", "\x7f",
]  # fmt: skip
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", ESCAPES)
def test_a_terminal_shows_escapes_and_does_not_obey_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Screen(), Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    table = Table("class")
    table.add_row(name)
    with printable_output():
        sys.stdout.write(f"{name}\n")
        sys.stderr.write(f"{name}\n")
        sys.stdout.writelines([name, "\n"])
        Terminal(color_system=None, width=60).print(table)
        Terminal(color_system=None, width=60).print(name, markup=False)
    assert not CONTROL.search(out.getvalue())
    assert out.getvalue().count(printable(name)) >= 2
    assert err.getvalue() == f"{printable(name)}\n"
    assert sys.stdout is out


def test_the_colours_of_tables_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out := Screen())
    with printable_output():
        Terminal(force_terminal=True, color_system="standard").print("[red]cat\x1b[2J")
    assert "\x1b[31mcat" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_progress_bars_move_the_cursor_and_texts_beside_them_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out := Screen())
    monkeypatch.setattr(sys, "stderr", err := Screen())
    with printable_output():
        terminal = Terminal(stderr=True, force_terminal=True, color_system=None, width=60)
        with Progress(console=terminal, auto_refresh=False) as bar:
            bar.add_task("images \x1b[2J", total=2)
            sys.stderr.write("cat\x1b[2Jdog\n")
            bar.refresh()
    assert "\x1b[2K" in err.getvalue()
    assert "\x1b[2J" not in err.getvalue() + out.getvalue()
    assert "catdog" in err.getvalue()  # rich drops escapes of what is printed beside a bar
    assert "\\x1b[2K" not in err.getvalue()


def test_pipes_receive_texts_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    with printable_output():
        sys.stdout.write("\x1b[2Jcat\n")
    assert out.getvalue() == "\x1b[2Jcat\n"


@pytest.mark.parametrize("name", [name for name in ESCAPES if "\x00" not in name])
def test_errors_show_escapes_everywhere(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", f"no{name}"]) == USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith("rezsl: error: no")
    assert not CONTROL.search(error)
    assert error.count("\n") == 1


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert not CONTROL.search(printable(text))
    assert printable(printable(text)) == printable(text)
    assert "\n" not in one_line_of(text)
    if text.isprintable():
        assert printable(text) == text


FORMULAS = ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1", "'=1", "''=1", "-", "+", "=", "'"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_cells_that_a_spreadsheet_would_run_are_texts(tmp_path: Path, cell: str) -> None:
    text = csv_text(["file", cell], [[cell, -1.5]])
    for row in csv.reader(io.StringIO(text, newline="")):
        assert [part for part in row if re.match(r"[=+\-@\t\r]", part) and part != "-1.5"] == []
    (tmp_path / "a.csv").write_text(text, newline="")
    header, rows = read_csv(tmp_path / "a.csv", DataError)
    assert header == ["file", cell.strip()]
    assert rows[0][1] == [cell, "-1.5"]


@pytest.mark.parametrize("number", ["-1", "+2", "-1.5e-3", "-.5", "-inf", "+nan", -3, -0.25, 1e300, None, True])
def test_numbers_are_not_changed(number: Any) -> None:
    assert csv_text(["n"], [[number]]) == f"n\n{'' if number is None else number}\n".replace("n\n\n", 'n\n""\n')


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), min_size=2, max_size=2),
        min_size=1,
    )
)
def test_what_is_written_for_a_spreadsheet_is_read_back_unchanged(rows: list[list[str]]) -> None:
    text = csv_text(["a", "b"], rows)

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.csv").write_text(text, encoding="utf-8", newline="")
        _, found = read_csv(Path(folder) / "a.csv", DataError)
    assert [cells for _, cells in found] == [row for row in rows if any(map(str.strip, row))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a|b", "a\\|b"), ("a\\|b", "a\\\\\\|b"), ("a\nb", "a b"), ("a\r\n\n| x |", "a \\| x \\|"),
        ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"), ("<!-- x", "\\<!-- x"), ("p <0.001", "p <0.001"),
        ("[a](javascript:x)", "[a\\](javascript:x)"), ("![a](http://t)", "![a\\](http://t)"), ("`|`", "\\`\\|\\`"),
        ("\x1b[2J", "\\\\x1b[2J"), ("A_1 = 3", "A_1 = 3"),
    ],
)  # fmt: skip
def test_markdown(name: str, expected: str) -> None:
    assert _markdown(name).replace("\\\\x1b", "\\x1b") == expected.replace("\\\\x1b", "\\x1b")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\nb", "a b"), ("x\n\\input{/etc/passwd}", "x \\textbackslash{}input\\{/etc/passwd\\}"), ("50% & $1", "50\\% \\& \\$1"),
        ("\x1b", "\\textbackslash{}x1b"), ("^^M", "\\textasciicircum{}\\textasciicircum{}M"),
    ],
)  # fmt: skip
def test_latex(name: str, expected: str) -> None:
    assert _latex(name) == expected

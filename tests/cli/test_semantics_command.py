"""``rezsl semantics``: the files that its commands read and write, and where the mark of a draft is mentioned."""

import json
from pathlib import Path

import pytest
from PIL import Image

from rezsl.cli.main import USER_ERROR, main
from rezsl.data import benchmark_fingerprint, load_image_folder
from rezsl.semantics import ClassSemantics
from tests.semantics.files import write_glove

INCOMPLETE = 1
WORDS = {
    "cat": (1.0, 0, 0, 1),
    "owl": (0, 1.0, 0, 1),
    "carp": (0, 0, 1.0, 1),
    "fur": (1.0, 0, 0, 0),
    "fins": (0, 0, 1.0, 0),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_glove(tmp_path / "words.txt", WORDS)
    (tmp_path / "classes.txt").write_text("# animals\ncat\nowl\n\ncarp\n")
    (tmp_path / "attributes.txt").write_text("fur\nfins\n")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    capsys.readouterr()
    assert main([*arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_draft_is_marked_and_every_command_mentions_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft = (
        "semantics",
        "draft",
        "classes.txt",
        "attributes.txt",
        "-o",
        "semantics.csv",
        "--word-vectors",
        "words.txt",
    )
    out = printed(capsys, 0, *draft)
    assert "note: semantics.csv is a draft by word vectors words.txt: nobody has confirmed its values yet" in out
    assert "wrote semantics.csv: 3 classes × 2 attributes" in out
    assert "next: review it, delete its first line" in out
    for name in ("cat", "owl", "carp"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / "images" / name / f"{number}.png")
    note = "semantics.csv is a draft by word vectors words.txt"
    assert note in printed(capsys, 0, "data", "check", ".")
    assert any(
        line.startswith(note)
        for line in json.loads(printed(capsys, 0, "data", "check", ".", "--format", "json"))["notes"]
    )
    assert note in printed(capsys, 0, "data", "make-splits", ".", "--validation", "0")
    lines = (folder / "semantics.csv").read_text().splitlines(keepends=True)
    recorded = benchmark_fingerprint(load_image_folder(folder))["notes"]  # the record of every run has these
    assert any(line.startswith(note) for line in recorded)
    (folder / "semantics.csv").write_text("".join(lines[1:]))
    assert note not in printed(capsys, 0, "data", "check", ".")


def test_new_rows_are_drafted_from_known_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.csv").write_text("class,warm,wet\ncat,1,0\nowl,0.9,0.1\ncarp,0,1\n")
    (folder / "new.txt").write_text("fur\nowl\nfins\n")
    out = printed(
        capsys, 0, "semantics", "draft", "new.txt", "--known", "old.csv", "-o", "new.csv", "--word-vectors", "words.txt"
    )
    assert "from the rows of 3 classes; drafted rows: fur, fins" in out
    table = ClassSemantics.from_csv(folder / "new.csv")
    assert table.classes == ("cat", "owl", "carp", "fur", "fins")
    assert table.values[3, 0] > table.values[4, 0]
    assert table.drafted.endswith("drafted rows: fur; fins")


def test_a_prompt_and_its_reply(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, 0, "semantics", "prompt", "classes.txt", "attributes.txt", "--kind", "animals")
    assert "3 classes of animals by 2 attributes" in text
    printed(capsys, 0, "semantics", "prompt", "classes.txt", "attributes.txt", "--kind", "animals", "-o", "prompt.txt")
    assert (folder / "prompt.txt").read_text() == text
    (folder / "reply.txt").write_text("Here:\n```csv\nclass,fur,fins\ncat,1,0\ncarp,0,1\nlynx,1,0\n```\n")
    read = ("semantics", "read", "reply.txt", "classes.txt", "attributes.txt", "-o", "table.csv", "--author", "Model 1")
    out = printed(capsys, INCOMPLETE, *read)
    assert "reply.txt: classes without a row, which the table lacks: 'owl'" in out
    assert "reply.txt: rows of other names, which are left out: 'lynx'" in out
    assert ClassSemantics.from_csv(folder / "table.csv").drafted == "Model 1 in reply.txt"
    (folder / "reply.txt").write_text("class,fur,fins\ncat,1,0\nowl,0.5,0\ncarp,0,1\n")
    assert "wrote reply-table.csv: 3 classes" in printed(capsys, 0, *read[:5])
    assert ClassSemantics.from_csv(folder / "reply-table.csv").classes == ("cat", "owl", "carp")
    out = printed(capsys, 0, *read, "--unseen", "carp")
    assert "table, 1 of 2: no training class varies in 'fins'; 100 % of the row of 'carp' rests on it" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("draft classes.txt -o t.csv --word-vectors words.txt", "expected a file of names or --known"),
        ("draft classes.txt attributes.txt -o t.csv", "expected one of the two, got none"),
        (
            "draft classes.txt attributes.txt --text-encoder none/",
            "--text-encoder: expected a folder with a text encoder",
        ),
        (
            "read reply.txt classes.txt attributes.txt -o t.png",
            "expected a name that ends in .csv, got t.png; name it t.csv",
        ),
        ("draft none.txt attributes.txt -o t.csv --word-vectors words.txt", "none.txt: no such file"),
        ("draft twice.txt attributes.txt -o t.csv --word-vectors words.txt", "expected unique names, got 'cat'"),
        ("read classes.txt classes.txt attributes.txt -o t.csv", "expected a table whose header has names"),
        ("prompt empty.txt attributes.txt", "empty.txt: expected names of classes, one per line, got none"),
        ("prompt spelled.txt attributes.txt", "expected names that differ in more than case, blanks"),
        ("prompt classes.txt attributes.txt --examples rows.csv", "--examples: expected a column for each attribute"),
        ("prompt rows.csv attributes.txt", "rows.csv: expected names of classes, one per line, got a table"),
        (
            "draft classes.txt attributes.txt -o t.csv --word-vectors same.txt",
            "expected vectors that differ between names",
        ),
        ("describe lines.txt -o t.csv --text-encoder x", "lines.txt, line 2: expected 'class: description'"),
        ("describe texts.csv -o t.csv --text-encoder x", "texts.csv, line 3: expected a class with its description"),
    ],
)
def test_wrong_files_are_named_in_one_line(
    arguments: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "twice.txt").write_text("cat\nowl\ncat\n")
    (folder / "empty.txt").write_text("\n# nothing\n")
    (folder / "spelled.txt").write_text("Give way\ngive-way\n")
    (folder / "rows.csv").write_text("class,fur\ncat,1\nowl,0.5\ncarp,1\n")
    (folder / "same.txt").write_text("".join(f"{word} 1 2\n" for word in ("cat", "owl", "carp", "fur", "fins")))
    (folder / "lines.txt").write_text("cat: furry\nowl\n")
    (folder / "texts.csv").write_text("class,description\ncat,furry\ncat,again\n")
    out = printed(capsys, USER_ERROR, "semantics", *arguments.split())
    assert message in out
    assert len(out.splitlines()) == 1
    assert not (folder / "t.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ("draft classes.txt attributes.txt --word-vectors words.txt", "words.txt"),
        ("draft classes.txt attributes.txt --word-vectors words.txt", "reviewed.csv"),
        ("read reply.txt classes.txt attributes.txt", "reply.txt"),
        ("read reply.txt classes.txt attributes.txt", "reviewed.csv"),
        ("prompt classes.txt attributes.txt", "classes.txt"),
        ("prompt classes.txt attributes.txt --examples reviewed.csv", "reviewed.csv"),
        ("describe reply.txt --text-encoder x", "reviewed.csv"),
    ],
)
def test_files_that_are_read_or_reviewed_are_not_replaced(
    arguments: str, kept: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "reply.txt").write_text("class,fur,fins\ncat,1,0\nowl,0.5,0\ncarp,0,1\n")
    (folder / "reviewed.csv").write_text("class,fur,fins\ncat,1,0\nowl,0.5,0\ncarp,0,1\n")
    before = (folder / kept).read_bytes()
    out = printed(capsys, USER_ERROR, "semantics", *arguments.split(), "-o", kept)
    assert out.startswith("rezsl: error: -o: expected ")
    assert len(out.splitlines()) == 1
    assert (folder / kept).read_bytes() == before


def test_a_draft_is_replaced_by_the_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        arguments = "semantics draft classes.txt attributes.txt --word-vectors words.txt -o table.csv"
        assert "wrote table.csv" in printed(capsys, 0, *arguments.split())

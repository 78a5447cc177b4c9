"""Damaged files of the official archives: one line that names the file, what was expected, what came, and what to do."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rezsl.data
from rezsl.cli.main import USER_ERROR, main
from rezsl.errors import DataError
from tests.data.archives.writing import cells, proposed
from tests.hostile.world import Content, a_folder, a_loop, a_pipe, cut, gone, variables

AGAIN = "unpack the archive again"
COPY = "copy its content into a file, and name that"
MATLAB = "perhaps it was cut short in copying, so copy it again"
LIST = "attribute_data/apascal_train.txt"
SIGNS = "Final_Training/Images/00015/GT-00015.csv"
PERCENT = "attributes/class_attribute_labels_continuous.txt"
MATRIX = "predicate-matrix-continuous.txt"
CONTINUOUS = "attributeLabels_continuous.mat"
NAN = float("nan")
READERS = {"birds": "cub", "animals": "awa2", "scenes": "sun", "objects": "apy", "flowers": "flowers", "signs": "gtsrb"}


def line(number: int, text: str) -> Content:
    """Replace a line of a list."""

    def change(path: Path) -> None:
        lines = path.read_text().splitlines()
        lines[number - 1] = text
        path.write_text("\n".join(lines) + "\n")

    return change


CASES: list[tuple[str, str, Content, str, str]] = [
    ("birds", "images.txt", "", "images.txt: expected one entry per line, got an empty file", AGAIN),
    ("birds", "images.txt", gone, "CUB_200_2011: expected images.txt of CUB, found none", "Birds-200-2011)"),
    ("birds", "images.txt", a_loop, "CUB_200_2011: expected images.txt of CUB, found none", "Birds-200-2011)"),
    ("birds", "images.txt", a_pipe, "images.txt: expected text, got a pipe", COPY),
    ("birds", "images.txt", a_folder, "images.txt: expected text, got a folder", "name a file"),
    ("birds", "images.txt", b"\x00\xff\x01" * 50, "images.txt: expected text, got bytes that are no text", AGAIN),
    ("birds", "images.txt", line(2, "3 a.jpg"), "images.txt, line 2: expected '2 <entry>', got '3 a.jpg'", AGAIN),
    ("birds", "images.txt", line(2, f"2 {'9' * 400}"), "CUB_200_2011: 1 of 20 images do not exist", "the archive of images again"),
    ("birds", "images.txt", line(2, "2 ../../x.jpg"), "CUB_200_2011: expected images inside the archive, got ", AGAIN),
    ("birds", "images.txt", line(2, "2 /etc/passwd"), "CUB_200_2011: expected images inside the archive, got '/etc/passwd'", AGAIN),
    ("birds", "image_class_labels.txt", line(3, f"3 {'9' * 400}"), "image_class_labels.txt, line 3: expected a class from 1 to 5, got '9", AGAIN),
    ("birds", "image_class_labels.txt", cut(50), "image_class_labels.txt: expected 20 lines, got ", AGAIN),
    ("birds", "classes.txt", line(2, "2 " + "001.Black_footed_Albatross"), f"{PERCENT}: classes: expected unique names, got", "others"),
    ("birds", PERCENT, line(2, "1 2 nan 4"), f"{PERCENT}, line 2: expected finite numbers, got 'nan'", AGAIN),
    ("birds", PERCENT, line(2, "1 2 1e999 4"), f"{PERCENT}, line 2: expected finite numbers, got '1e999'", AGAIN),
    ("birds", PERCENT, line(2, "1 2 x 4"), f"{PERCENT}, line 2: expected finite numbers, got 'x'", AGAIN),
    ("birds", PERCENT, line(2, "1 2 -3 4"), f"{PERCENT}: expected percentages from 0 to 100, got -3 to", AGAIN),
    ("birds", PERCENT, line(2, "1 2 3"), f"{PERCENT}, line 2: expected 4 numbers, got 3", AGAIN),
    ("animals", "classes.txt", line(2, f"2 {'9' * 400}"), "JPEGImages: expected a folder of images for each of 5 classes, 1 have none", "the archive of images again"),
    ("animals", "JPEGImages", gone, "Animals_with_Attributes2: expected JPEGImages of AWA2, found none", "Animals with Attributes 2)"),
    ("animals", "predicates.txt", cut(20), f"{MATRIX}, line 1: expected 2 numbers, got 5", AGAIN),
    ("animals", MATRIX, line(1, "1 2 3 4 inf"), f"{MATRIX}, line 1: expected finite numbers, got 'inf'", AGAIN),
    ("animals", MATRIX, cut(60), f"{MATRIX}", AGAIN),
    ("scenes", "images.mat", b"", "images.mat: expected a MATLAB file", MATLAB),
    ("scenes", "images.mat", cut(300), "images.mat: cannot be read", MATLAB),
    ("scenes", "images.mat", variables(images=...), "images.mat: expected a variable 'images'", "save it too"),
    ("scenes", "images.mat", variables(images=cells(["../x.jpg"] * 24)), "images.mat: expected paths <letter>/<class>/<file>, got 24 others", AGAIN),
    ("scenes", CONTINUOUS, variables(labels_cv=np.full((24, 6), NAN)), f"{CONTINUOUS}: expected finite numbers in 'labels_cv', got nan", AGAIN),
    ("scenes", CONTINUOUS, variables(labels_cv=np.ones((24, 6), complex)), f"{CONTINUOUS}: expected finite numbers in 'labels_cv', got complex128", AGAIN),
    ("scenes", CONTINUOUS, variables(labels_cv=np.ones((6, 24))), f"{CONTINUOUS}: expected 'labels_cv' as 24 images × 6 attributes, got shape (6, 24)", AGAIN),
    ("objects", LIST, line(1, "2008_000000.jpg"), f"{LIST}, line 1: expected an image, a class, a box and attributes, got", AGAIN),
    ("objects", LIST, line(1, "2008_000000.jpg person inf 1 20 30 1 0 1"), f"{LIST}, line 1: expected finite numbers, got 'inf'", AGAIN),
    ("objects", LIST, line(1, "2008_000000.jpg person 20 1 1 30 1 0 1"), f"{LIST}, line 1: ", "correct the annotation"),
    ("objects", LIST, line(1, "../../../../x.jpg person 1 1 20 30 1 0 1"), "apy: expected images inside the archive, got ", AGAIN),
    ("objects", LIST, line(1, f"{'9' * 400} person 1 1 20 30 1 0 1"), "apy: 1 of 13 images do not exist", "the archive of images again"),
    ("objects", LIST, line(1, "2008_000000.jpg dragon 1 1 20 30 1 0 1"), f"{LIST}, line 1: expected a class of class_names.txt, got 'dragon'", AGAIN),
    ("flowers", "imagelabels.mat", b"junk", "imagelabels.mat: expected a MATLAB file", MATLAB),
    ("flowers", "imagelabels.mat", variables(labels=np.full((1, 20), NAN)), "imagelabels.mat: expected whole numbers in 'labels', got nan", "correct it"),
    ("flowers", "imagelabels.mat", variables(labels=np.full((1, 20), 1.5)), "imagelabels.mat: expected whole numbers in 'labels', got 1.5", "correct it"),
    ("flowers", "imagelabels.mat", variables(labels=np.full((1, 20), 1e18)), "imagelabels.mat: expected classes from 1 on, each with an image, got '1000000000000000000'", "download the file again"),
    ("flowers", "imagelabels.mat", variables(labels=np.array(["a"])), "imagelabels.mat: expected whole numbers in 'labels', got text", "save it as numbers"),
    ("flowers", "imagelabels.mat", variables(labels=np.zeros((0, 0))), "imagelabels.mat: expected classes from 1 on, each with an image, got none", "download the file again"),
    ("flowers", "imagelabels.mat", gone, "flowers: expected imagelabels.mat of FLO, found none", "Flower Dataset)"),
    ("flowers", "res101.mat", variables(labels=np.ones((20, 1))), "res101.mat: expected its labels to be those of imagelabels.mat, one to one, for 5 classes, got", "download both again"),
    ("signs", SIGNS, gone, f"{SIGNS}: cannot be read (No such file", AGAIN),
    ("signs", SIGNS, cut(-10), f"{SIGNS}, line 7: expected", AGAIN),
    ("signs", SIGNS, line(2, "a_b.ppm;30;28;5;6;25;22"), f"{SIGNS}, line 2: expected 8 cells, got 7", AGAIN),
    ("signs", SIGNS, line(2, f"a_b.ppm;30;28;5;6;25;{'9' * 5000};15"), f"{SIGNS}, line 2: expected 8 cells, numbers but for the first, got", AGAIN),
    ("signs", SIGNS, line(2, "../../a_b.ppm;30;28;5;6;25;22;15"), "GTSRB: 1 of 258 images do not exist", "the archive of images again"),
    ("signs", SIGNS, line(2, "../../../../a_b.ppm;30;28;5;6;25;22;15"), "GTSRB: expected images inside the archive, got ", AGAIN),
    ("signs", SIGNS, line(2, "a_b.ppm;30;28;25;6;5;22;15"), f"{SIGNS}, line 2: ", "correct the annotation"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("archive", "file", "content", "begin", "end"), CASES, ids=[f"{n} {case[0]}" for n, case in enumerate(CASES)]
)
def test_a_damaged_archive_is_one_clear_line(
    request: pytest.FixtureRequest, archive: str, file: str, content: Content, begin: str, end: str
) -> None:
    root: Path = request.getfixturevalue(archive)
    if archive == "flowers":
        listed = [f"/x/flowers/jpg/image_{number:05d}.jpg" for number in range(1, 21)]
        proposed(root, listed, [row % 5 for row in range(20)], None, unseen=[0])
    load: Callable[[Path], object] = getattr(rezsl.data, f"load_{READERS[archive]}")
    load(root)  # whole, it is read
    if callable(content):
        content(root / file)
    else:
        (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.process_time()
    with pytest.raises(DataError) as refused:
        load(root)
    assert time.process_time() - start < 2
    message = str(refused.value)
    assert begin in message[:400]
    assert message.endswith(end)
    assert len(message) < 1000
    assert "\n" not in message


def test_a_damaged_archive_on_the_command_line(birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (birds / "image_class_labels.txt").write_text("1 7\n")
    for words in (["fit", "--data", "cub", "--data.root", str(birds), "--run-dir", str(tmp_path / "run")],):
        assert main(words) == USER_ERROR
        (found,) = capsys.readouterr().err.splitlines()
        assert found.startswith("rezsl: error: ")
        assert "image_class_labels.txt" in found
    assert not (tmp_path / "run").exists()

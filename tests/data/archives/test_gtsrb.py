from pathlib import Path

import pytest
import torch

from rezsl.data import Crop, load_gtsrb, selection_split
from rezsl.data.gtsrb import GTSRB, sign_semantics
from rezsl.errors import DataError
from tests.data.archives.writing import text


def test_every_sign_has_a_description_of_its_own() -> None:
    table = sign_semantics()
    assert table.values.shape == GTSRB.totals.counts[1:] == (43, 47)
    directions = torch.nn.functional.normalize(table.values)
    cosines = directions @ directions.T - 2 * torch.eye(43)
    assert float(cosines.max()) < 0.95
    columns = {tuple(column) for column in table.values.T.tolist()}
    assert all(0 < sum(column) < 43 for column in columns)
    assert table.groups is not None
    assert table.groups[0] == "shape"
    assert table.attributes[0] == "disc"
    assert {table.classes[14], table.classes[17], table.classes[12]} == {"stop", "no entry", "priority road"}


def test_frames_of_one_physical_sign_stay_together(signs: Path) -> None:
    benchmark = load_gtsrb(signs)
    assert len(benchmark.inputs) == 43 * 6
    assert benchmark.inputs[0] == Crop(
        signs / "Final_Training" / "Images" / "00000" / "00000_00000.ppm", (5, 6, 25, 22)
    )
    assert benchmark.groups is not None
    assert len(benchmark.groups.unique()) == 129
    assert len(benchmark.unseen_classes) == 9
    selection = selection_split(benchmark, seed=0)
    for left, right in (
        (benchmark.split.trainval, benchmark.split.test_seen),
        (selection.train, selection.val_seen),
    ):
        assert len(right)
        assert not set(benchmark.groups[left].tolist()) & set(benchmark.groups[right].tolist())
    for root in (signs.parent, signs / "Final_Training"):
        assert len(load_gtsrb(root).inputs) == 43 * 6


def test_rows_that_do_not_fit_are_named(signs: Path) -> None:
    path = signs / "Final_Training" / "Images" / "00007" / "GT-00007.csv"
    header, *rows = path.read_text().splitlines()
    faults = (
        (
            (header, "00000_00000.ppm;30;28;5;6;25"),
            r"GT-00007\.csv, line 2: expected 8 cells, got 6",
        ),
        (
            (header, "00000_00000.ppm;30;28;5;6;25;22;8"),
            r"GT-00007\.csv, line 2: expected ClassId 7, the folder's, got 8",
        ),
        (
            (header, "00000_00000.ppm;30;28;5;6;31;22;7"),
            r"line 2: expected a box inside 30 × 28 pixels, got \(5, 6, 31, 22\)",
        ),
        (
            (header, "00000_00000.ppm;30;28;5;6;5;22;7"),
            r"line 2: .*00000_00000\.ppm: expected a box \(left, top, right",
        ),
        ((header, "sign.ppm;30;28;5;6;25;22;7"), r"line 2: expected a file <track>_<frame>\.ppm, got 'sign\.ppm'"),
        ((header,), r"GT-00007\.csv: expected at least one frame, got none"),
        (
            ("Filename,Width", *rows),
            r"GT-00007\.csv: expected the columns Filename, Width, Height.*, got Filename,Width",
        ),
    )
    for lines, message in faults:
        text(path, *lines)
        with pytest.raises(DataError, match=message):
            load_gtsrb(signs)
    text(path, header, *rows)
    (path.parent / "00002_00001.ppm").unlink()
    with pytest.raises(
        DataError, match=r"GTSRB: 1 of 258 images do not exist: 'Final_Training/Images/00007/00002_00001\.ppm'; unpack"
    ):
        load_gtsrb(signs)
    path.unlink()
    with pytest.raises(
        DataError,
        match=r"GT-00007\.csv: cannot be read \(No such file or directory\); expected text separated by",
    ):
        load_gtsrb(signs)

from pathlib import Path

import numpy as np
import pytest

from rezsl.data import Crop, load_apy, read_image
from rezsl.errors import DataError
from tests.data.archives.writing import OBJECTS, proposed, text


def test_every_object_is_a_box_and_objects_of_one_image_are_a_group(objects: Path) -> None:
    benchmark = load_apy(objects)
    assert len(benchmark.inputs) == 24
    first, last = benchmark.inputs[0], benchmark.inputs[23]
    # VOC counts pixels from 1 and includes the last one.
    assert first == Crop(objects / "VOCdevkit" / "VOC2008" / "JPEGImages" / "2008_000000.jpg", (0, 0, 20, 30))
    assert last == Crop(objects / "ayahoo_test_images" / "jetski_3.jpg", (0, 0, 40, 30))
    assert isinstance(first, Crop)
    assert read_image(first, 4).shape == (3, 4, 4)
    assert benchmark.groups is not None
    assert benchmark.groups[:9].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert benchmark.semantics.classes == OBJECTS
    # Rows: mean over the objects; of the two persons of an image one has an ear.
    expected = [[1, 1, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0], [0, 1, 1]]
    np.testing.assert_allclose(benchmark.semantics.values.numpy(), expected)


def test_objects_of_one_image_are_joined_by_class_and_then_by_order(objects: Path, tmp_path: Path) -> None:
    shown = [
        (f"img/2008_{n:06d}.jpg", name) for name in ("tvmonitor", "person", "person", "aeroplane") for n in range(4)
    ]
    shown += [(f"img/{name}_{number}.jpg", name) for name in ("donkey", "jetski") for number in range(4)]
    names = sorted(OBJECTS)
    splits = proposed(
        tmp_path / "s",
        [file for file, _ in shown],
        [names.index(name) for _, name in shown],
        names,
        [names.index("person")],
    )
    benchmark = load_apy(objects, splits)
    assert benchmark.unseen_classes == ("person",)
    unseen = [benchmark.inputs[row] for row in benchmark.split.test_unseen.tolist()]
    first_image = [crop.box for crop in unseen if isinstance(crop, Crop) and crop.path.name == "2008_000000.jpg"]
    assert first_image == [(0, 0, 20, 30), (2, 0, 22, 30)]
    surplus = [*shown[:-1], shown[4]]
    with pytest.raises(DataError, match=r"1 of 24 rows have no image left of .*: 'img/2008_000000\.jpg'"):
        load_apy(
            objects,
            proposed(
                tmp_path / "s",
                [f for f, _ in surplus],
                [names.index(n) for _, n in surplus],
                names,
                [names.index("person")],
            ),
        )


def test_lines_that_do_not_fit_are_named(objects: Path) -> None:
    path = objects / "attribute_data" / "ayahoo_test.txt"
    whole = path.read_text()
    faults = (
        ("donkey_0.jpg donkey 1 1 5 5 0 1", r"line 1: expected 7 numbers, got 6; unpack"),
        ("donkey_0.jpg mule 1 1 5 5 0 1 1", r"line 1: expected a class of class_names\.txt, got 'mule'"),
        ("donkey_0.jpg donkey 9 1 5 5 0 1 1", r"line 1: .*donkey_0\.jpg: expected a box \(left, top, right, bottom\)"),
        ("donkey_0.jpg", r"line 1: expected an image, a class, a box and attributes, got 'donkey_0\.jpg'"),
        ("donkey_9.jpg donkey 1 1 5 5 0 1 1", r"apy: 1 of 5 images do not exist: 'ayahoo_test_images/donkey_9\.jpg'"),
    )
    for line, message in faults:
        text(path, line)
        with pytest.raises(DataError, match=message):
            load_apy(objects)
    text(path, *whole.splitlines()[:4])
    with pytest.raises(
        DataError, match=r"apy: no object of 'jetski' in apascal_train\.txt, apascal_test\.txt, ayahoo_test\.txt"
    ):
        load_apy(objects)

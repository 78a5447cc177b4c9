from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.data.archives.writing import (
    ANIMALS,
    BIRD_ATTRIBUTES,
    BIRDS,
    OBJECTS,
    PARTS,
    PREDICATES,
    SCENE_ATTRIBUTES,
    bird_files,
    cells,
    image,
    numbered,
    scene_files,
    text,
)


def rows_of(table: np.ndarray) -> list[str]:
    return [" ".join(f"{value:g}" for value in row) for row in table]


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """CUB_200_2011 with five classes of four images."""
    root, files = tmp_path / "CUB_200_2011", bird_files()
    for file in files:
        image(root / "images" / file)
    numbered(root / "images.txt", files)
    numbered(root / "classes.txt", BIRDS)
    numbered(root / "image_class_labels.txt", [str(row // 4 + 1) for row in range(len(files))])
    percent = np.random.default_rng(0).uniform(1, 100, (5, 4))
    text(root / "attributes" / "class_attribute_labels_continuous.txt", *rows_of(percent))
    numbered(tmp_path / "attributes.txt", BIRD_ATTRIBUTES)  # beside the folder, as the archive unpacks it
    return root


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Animals_with_Attributes2 with five classes of four images and two unknown values of one attribute."""
    root = tmp_path / "Animals_with_Attributes2"
    for name in ANIMALS:
        for number in range(4):
            image(root / "JPEGImages" / name / f"{name}_{10001 + number}.jpg")
    numbered(root / "classes.txt", ANIMALS, "\t")
    text(root / "predicates.txt", *(f"    {number}\t{name}" for number, name in enumerate(PREDICATES, start=1)))
    percent = np.random.default_rng(0).uniform(1, 100, (5, 5))
    percent[0, 1] = percent[3, 1] = -1
    text(root / "predicate-matrix-continuous.txt", *(f"  {row}" for row in rows_of(percent)))
    return root


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """SUNAttributeDB with six classes of four images, the images in their folder beside the lists."""
    root, files = tmp_path / "SUNAttributeDB", scene_files()
    for file in files:
        image(tmp_path / "images" / file)
    root.mkdir()
    savemat(root / "attributes.mat", {"attributes": cells(SCENE_ATTRIBUTES)})
    savemat(root / "images.mat", {"images": cells(files)})
    votes = np.random.default_rng(0).integers(0, 4, (len(files), len(SCENE_ATTRIBUTES))) / 3
    votes[:, 0] = 1.0
    savemat(root / "attributeLabels_continuous.mat", {"labels_cv": votes})
    return root


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """aPascal and aYahoo: three classes in VOC images that show several objects, two classes in aYahoo's."""
    root = tmp_path / "apy"
    lists = root / "attribute_data"
    text(lists / "class_names.txt", *OBJECTS)
    text(lists / "attribute_names.txt", *PARTS)
    for number in range(4):
        image(root / "VOCdevkit" / "VOC2008" / "JPEGImages" / f"2008_{number:06d}.jpg", (40, 30), 40 * number)
    yahoo = [f"{name}_{number}.jpg" for name in ("donkey", "jetski") for number in range(4)]
    for name in yahoo:
        image(root / "ayahoo_test_images" / name, (40, 30))
    shown = [
        f"2008_{number:06d}.jpg {name} {1 + offset} 1 {20 + offset} 30 {int(name != 'person')} {offset % 2} 1"
        for number in range(4)
        for offset, name in enumerate(("person", "aeroplane", "person", "tvmonitor"))
    ]
    text(lists / "apascal_train.txt", *shown[:8])
    text(lists / "apascal_test.txt", *shown[8:])
    text(
        lists / "ayahoo_test.txt",
        *(f"{name} {name.split('_')[0]} 0 0 40 30 0 1 {int(name.startswith('jet'))}" for name in yahoo),
    )
    return root


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Oxford flowers with five classes of four images, in no order."""
    root = tmp_path / "flowers"
    for number in range(1, 21):
        image(root / "jpg" / f"image_{number:05d}.jpg")
    savemat(root / "imagelabels.mat", {"labels": np.array([[row % 5 + 1 for row in range(20)]], dtype=np.uint8)})
    return root


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """GTSRB's training archive with three physical signs per class, two frames of each."""
    images = tmp_path / "GTSRB" / "Final_Training" / "Images"
    for label in range(43):
        rows = [f"{track:05d}_{frame:05d}.ppm;30;28;5;6;25;22;{label}" for track in range(3) for frame in range(2)]
        text(
            images / f"{label:05d}" / f"GT-{label:05d}.csv",
            "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId",
            *rows,
        )
        for row in rows:
            image(images / f"{label:05d}" / row.split(";")[0], (30, 28))
    return tmp_path / "GTSRB"

from pathlib import Path

import numpy as np
import pytest
import torch

from rezsl.data import load_cub
from rezsl.errors import DataError
from tests.data.archives.writing import BIRDS, bird_files, numbered


def test_images_classes_and_semantics_in_their_groups(birds: Path) -> None:
    benchmark = load_cub(birds)
    assert list(benchmark.inputs) == [birds / "images" / file for file in bird_files()]
    assert benchmark.labels.tolist() == [row // 4 for row in range(20)]
    assert benchmark.semantics.classes == BIRDS
    assert benchmark.semantics.groups == ("bill shape", "bill shape", "upper tail color", "size")
    percent = np.loadtxt(birds / "attributes" / "class_attribute_labels_continuous.txt")
    np.testing.assert_allclose(benchmark.semantics.values.numpy(), percent / 100, rtol=1e-6)
    inside = birds.parent / "attributes.txt"
    inside.rename(birds / "attributes.txt")
    assert load_cub(birds.parent).semantics.attributes == benchmark.semantics.attributes  # its parent was named


def test_without_a_proposed_split_whole_classes_are_held_out_by_the_seed_and_said_so(birds: Path) -> None:
    benchmark = load_cub(birds, seed=1)
    split, labels = benchmark.split, benchmark.labels
    assert len(benchmark.unseen_classes) == 1  # a quarter, as 50 of 200
    assert len(benchmark.class_names(split.val)) == 1
    assert sorted(torch.cat([split.trainval, split.test_seen, split.test_unseen]).tolist()) == list(range(20))
    assert labels[split.test_seen].bincount().max() == 1
    assert benchmark.notes[0].startswith("20 images of 5 classes, where the whole of CUB has 11,788 of 200")
    assert f"no proposed split: seed 1 drew 1 unseen classes ('{benchmark.unseen_classes[0]}')" in benchmark.notes[1]
    again = load_cub(birds, seed=1).split
    assert all(torch.equal(part, again.parts()[name]) for name, part in split.parts().items())
    drawn = {load_cub(birds, seed=seed).unseen_classes for seed in range(8)}
    assert len(drawn) > 1


def test_missing_and_truncated_files_are_named_in_one_line(birds: Path) -> None:
    table = birds / "attributes" / "class_attribute_labels_continuous.txt"
    whole = table.read_text()
    faults = (
        (table, whole[:50], r"continuous\.txt, line 2: expected 4 numbers, got \d; unpack the archive again"),
        (table, whole.splitlines()[0], r"continuous\.txt: expected 5 lines, got 1; unpack the archive again"),
        (table, whole.replace("\n", "x\n", 1), r"continuous\.txt, line 1: expected finite numbers, got"),
        (table, whole.replace("\n", "e3\n", 1), r"continuous\.txt: expected percentages from 0 to 100, got"),
        (birds / "classes.txt", "1 a\n3 b\n", r"classes\.txt, line 2: expected '2 <entry>', got '3 b'"),
        (birds / "image_class_labels.txt", "1 1\n2 1\n", r"image_class_labels\.txt: expected 20 lines, got 2"),
        (birds / "image_class_labels.txt", "1 6\n", r"image_class_labels\.txt: expected 20 lines, got 1"),
        (birds / "images.txt", "", r"images\.txt: expected one entry per line, got an empty file"),
    )
    for path, content, message in faults:
        before = path.read_text()
        path.write_text(content)
        with pytest.raises(DataError, match=message) as caught:
            load_cub(birds)
        assert "\n" not in str(caught.value)
        path.write_text(before)
    numbered(birds / "image_class_labels.txt", ["6"] * 20)
    with pytest.raises(DataError, match=r"labels\.txt, line 1: expected a class from 1 to 5, got '6'"):
        load_cub(birds)
    for file in bird_files()[:4]:
        (birds / "images" / file).unlink()
    numbered(birds / "image_class_labels.txt", ["1"] * 20)
    with pytest.raises(
        DataError, match=r"CUB_200_2011: 4 of 20 images do not exist: 'images/001.*0_0\.jpg', .* and 1 more; unpack"
    ):
        load_cub(birds)
    (birds / "classes.txt").unlink()
    with pytest.raises(
        DataError, match=r"CUB_200_2011: expected classes\.txt of CUB, found none; download CUB_200_2011\.tgz"
    ):
        load_cub(birds)


@pytest.mark.parametrize("root", [".", "..", "{root}"])
@pytest.mark.parametrize("name", ["../../secret.jpg", "{root}/../secret.jpg"])
def test_lists_do_not_lead_out_of_the_archive(
    birds: Path, root: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, name = (text.replace("{root}", str(birds)) for text in (root, name))
    monkeypatch.chdir(birds / "images" if root == ".." else birds)
    (birds.parent / "secret.jpg").write_bytes(b"")
    lines = (birds / "images.txt").read_text().splitlines()
    (birds / "images.txt").write_text("\n".join([f"1 {name}", *lines[1:]]) + "\n")
    with pytest.raises(
        DataError, match=r"expected images inside the archive, got '.*secret\.jpg' in its lists; unpack"
    ):
        load_cub(root)

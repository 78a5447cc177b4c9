from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from rezsl.data import READERS, Count, Inventory, check_directory, load_cub
from rezsl.data._archive import Archive
from rezsl.errors import DataError
from tests.data.archives.writing import BIRDS, bird_files, proposed, text

PUBLISHED = {
    "cub": ("CUB", 11_788, 200, 312),
    "awa2": ("AWA2", 37_322, 50, 85),
    "sun": ("SUN", 14_340, 717, 102),
    "apy": ("aPY", 15_339, 32, 64),
    "flowers": ("FLO", 8_189, 102, 1024),
    "gtsrb": ("GTSRB", 39_209, 43, 47),
}
TINY = {
    "cub": ("birds", 20, 5, 4),
    "awa2": ("animals", 20, 5, 5),
    "sun": ("scenes", 24, 6, 6),
    "apy": ("objects", 24, 5, 3),
    "flowers": ("flowers", 20, 5, None),
    "gtsrb": ("signs", 258, 43, 47),
}


def as_published(found: Inventory) -> tuple[str, int | None, int | None, int | None]:
    images, classes, attributes = (count.expected for count in found.counts)
    return found.title, images, classes, attributes


@pytest.mark.parametrize("kind", PUBLISHED)
def test_each_archive_is_recognised_and_counted_against_the_published_totals(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture, images, classes, attributes = TINY[kind]
    root: Path = request.getfixturevalue(fixture)
    found = check_directory(root)
    assert found.kind == kind
    assert [count.found for count in found.counts] == [images, classes, attributes]
    assert as_published(found) == PUBLISHED[kind]
    assert not found.complete
    assert f"{PUBLISHED[kind][1] - images:,} of {PUBLISHED[kind][1]:,} images" in found.missing
    assert found.downloads
    if kind == "flowers":
        assert "att_splits.mat, with the class semantics, and a feature file with image_files" in found.missing
        files = [f"/x/jpg/image_{number:05d}.jpg" for number in range(1, 21)]
        proposed(root, files, [row % 5 for row in range(20)], None, unseen=[4])
    # The same files of a data set that is no larger than this: nothing is missing.
    archive = getattr(READERS[kind].check, "__self__", None)
    assert isinstance(archive, Archive)
    totals = replace(archive.totals, images=images, classes=classes, attributes=attributes or 7)
    small = replace(archive, totals=totals)
    monkeypatch.setitem(READERS, kind, replace(READERS[kind], totals=totals, check=small.check))
    whole = check_directory(root)
    assert whole.missing == whole.downloads == ()
    assert whole.complete


def test_what_is_missing_or_damaged_is_named_with_its_download(birds: Path) -> None:
    (birds / "classes.txt").unlink()
    (birds / "images" / bird_files()[0]).unlink()
    (birds.parent / "attributes.txt").write_bytes(b"\xff\xfe\x00")
    found = check_directory(birds)
    assert found.missing[:2] == ("classes.txt", "11,769 of 11,788 images")
    assert "attributes.txt: expected text" in found.missing[2]
    assert found.downloads == (
        "CUB_200_2011.tgz (about 1.2 GB, the Caltech data repository, Caltech-UCSD Birds-200-2011)",
    )
    assert "images.txt" in found.found
    assert found.counts == (Count("images", 19, 11_788), Count("classes", None, 200), Count("attributes", None, 312))


def test_a_proposed_split_beside_the_archive_is_said(birds: Path, tmp_path: Path) -> None:
    assert "no proposed split in or beside it" in check_directory(birds).notes[0]
    folder = tmp_path / "xlsa17" / "data" / "CUB"
    proposed(folder, bird_files(), [row // 4 for row in range(20)], BIRDS, unseen=[4])
    assert check_directory(birds).notes == (f"proposed split found in {folder}",)
    assert load_cub(birds).unseen_classes == (BIRDS[4],)


def test_a_directory_of_xlsa17(birds: Path, tmp_path: Path) -> None:
    folder = proposed(tmp_path / "mine", bird_files(), [row // 4 for row in range(20)], BIRDS, unseen=[4])
    found = check_directory(folder)
    assert (found.kind, found.title, found.complete) == ("xlsa17", "mine", True)
    assert [count.found for count in found.counts] == [20, 5, 7]
    assert found.notes == ("no attributes.txt: attributes will be called by their numbers",)
    whole = (folder / "res101.mat").read_bytes()
    (folder / "res101.mat").write_bytes(whole[:200])
    broken = check_directory(folder)
    assert not broken.complete
    assert broken.missing == ("res101.mat, or another feature file with 'labels'",)
    (folder / "res101.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(700))
    damaged = check_directory(folder).missing[1]
    assert "res101.mat: cannot be read" in damaged
    assert "expected a MATLAB file; perhaps it was cut short in copying, so copy it again" in damaged


@pytest.mark.parametrize(
    ("folder", "published"),
    [
        ("AWA1", ("AWA1", 30_475, 50, 85)),
        ("AWA2", ("AWA2", 37_322, 50, 85)),
        ("SUN", ("SUN", 14_340, 717, 102)),
        ("FLO", ("FLO", 8_189, 102, 1024)),
        ("CUB", ("CUB", 11_788, 200, 1024)),  # sent_splits.mat: sentences instead of the 312 attributes
    ],
)
def test_real_split_files_tell_their_data_set_whatever_the_directory_is_called(
    real_data: Path, tmp_path: Path, folder: str, published: tuple[str, int, int, int]
) -> None:
    for file in (real_data / "xlsa17-splits" / folder).iterdir():
        (tmp_path / file.name).symlink_to(file)
    found = check_directory(tmp_path)
    assert as_published(found) == published
    assert found.missing == ("res101.mat, or another feature file with 'labels'",)
    assert "xlsa17.zip" in found.downloads[0]
    assert (found.counts[1].found, found.counts[2].found) == published[2:]


def test_ones_own_folder_and_directories_of_nothing_known(tmp_path: Path, birds: Path) -> None:
    own = tmp_path / "own"
    for name in ("cat", "dog", "owl"):
        (own / "images" / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(own / "images" / name / "1.png")
    assert check_directory(own).missing == ("semantics.csv, which you write yourself",)
    text(own / "semantics.csv", "class,fur,size", "cat,1,0.2", "dog,1,0.5", "owl,0,0.4")
    found = check_directory(own)
    assert (found.kind, found.complete) == ("folder", True)
    assert [count.found for count in found.counts] == [3, 3, 2]
    (tmp_path / "several" / "a").mkdir(parents=True)
    (tmp_path / "several" / "b").symlink_to(birds)
    nothing = check_directory(tmp_path / "several")
    assert (nothing.kind, nothing.found, nothing.complete) == ("unknown", ("a", "b"), False)
    assert nothing.notes == ("b contains cub: name that directory",)
    part = (
        f"{own / 'images'} is a part of your own images (images/ and semantics.csv): give the folder around it, {own}"
    )
    assert check_directory(own / "images").notes == (part,)
    with pytest.raises(DataError, match=r"none: no such folder; check the path"):
        check_directory(tmp_path / "none")

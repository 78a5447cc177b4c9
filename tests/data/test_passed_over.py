"""Nothing in a folder of images is dropped without being counted and named; names of folders are joined in one form."""

import os
import shutil
import sys
import types
import unicodedata
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from rezsl.cli.main import main
from rezsl.data import _image_formats as formats
from rezsl.data import check_directory, load_image_folder, make_splits, read_image
from rezsl.data._image_files import find_images, walk_images
from rezsl.data._readers import FolderReport
from rezsl.errors import DataError

CLASSES = ("cat", "dog", "owl", "bat")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four classes of five images."""
    root = tmp_path / "data"
    for row, name in enumerate(CLASSES):
        (root / "images" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8), (50 * row, 40 * number, 200)).save(root / "images" / name / f"{number}.png")
    (root / "semantics.csv").write_text("class,a,b\ncat,1,0\ndog,0,1\nowl,1,1\nbat,1,2\n")
    return root


def report(root: Path, decode: bool = True) -> FolderReport:
    found = check_directory(root, decode)
    assert isinstance(found, FolderReport)
    return found


def test_photos_of_phones_are_counted_and_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in CLASSES:
        for number in range(3):
            (root / "images" / name / f"IMG_{number}.HEIC").write_bytes(os.urandom(200))
    note = (
        "passed over: photos in HEIC (12): 'images/bat/IMG_0.HEIC', 'images/bat/IMG_1.HEIC', 'images/bat/IMG_2.HEIC' and "
        "9 more; pip install 'rezsl[heic]' for the package that reads them"
    )
    for notes in (load_image_folder(root).notes, make_splits(root).notes, load_image_folder(root).notes):
        assert note in notes
    found = report(root)
    assert note in found.notes
    assert (len(found.passed_over), found.classes["cat"]) == (12, 5)
    assert main(["data", "check", str(root), "--decode"]) == 0
    assert "every image was decoded; 12 files were passed over, see the notes" in " ".join(
        capsys.readouterr().out.split()
    )
    with pytest.raises(DataError, match=r"IMG_0\.HEIC: expected an image, got a photo in HEIC; pip install 'rezsl"):
        read_image(root / "images" / "cat" / "IMG_0.HEIC", 8)
    assert "every image was decoded)" not in capsys.readouterr().out


def test_a_class_of_such_photos_alone(root: Path) -> None:
    for file in (root / "images" / "cat").iterdir():
        file.rename(file.with_suffix(".heic"))
    with pytest.raises(
        DataError,
        match=r"without a single image: 'cat'; add some, .*; passed over: photos in HEIC \(5\): .*; pip install",
    ):
        load_image_folder(root)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "images/cat/a.CR2",
            "photos in a format that is not read (1): 'images/cat/a.CR2'; convert them to JPEG, PNG or TIFF",
        ),
        ("images/cat/notes.txt", "files that are no images (1): 'images/cat/notes.txt'"),
        ("images/cat/photo", "files that are no images (1): 'images/cat/photo'"),
        (
            "images/deep.jpg",
            "images beside the class folders (1): 'images/deep.jpg'; move each into the folder of its class",
        ),
    ],
)
def test_every_other_file_has_its_reason(root: Path, name: str, said: str) -> None:
    shutil.copy(root / "images/cat/0.png", root / name)
    assert f"passed over: {said}" in load_image_folder(root).notes
    assert report(root).passed_over == (name,)
    assert report(root).complete


def test_hidden_files_are_not_counted(root: Path) -> None:
    for name in (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini"):
        (root / "images" / "cat" / name).write_bytes(b"")
    (root / "images" / "cat" / ".ipynb_checkpoints").mkdir()
    (root / "images" / "cat" / ".ipynb_checkpoints" / "0.png").write_bytes(b"")
    assert report(root).passed_over == ()
    assert len(load_image_folder(root).labels) == 20


def test_photos_behind_links_are_read(root: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "more").mkdir(parents=True)
    for number in (1, 2):
        shutil.move(root / f"images/cat/{number}.png", shared / f"{number}.png")
    shutil.move(root / "images/cat/3.png", shared / "more" / "3.png")
    (root / "images/cat/shared").symlink_to(shared)
    (root / "images/cat/4.png").unlink()
    (root / "images/cat/4.png").symlink_to(shared / "1.png")
    found = load_image_folder(root)
    assert not [note for note in found.notes if note.startswith("passed over")]
    assert report(root).classes["cat"] == 5
    assert [path.relative_to(root).as_posix() for path in find_images(root / "images/cat")] == [
        f"images/cat/{name}" for name in ("0.png", "4.png", "shared/1.png", "shared/2.png", "shared/more/3.png")
    ]
    shutil.move(root / "images/dog", tmp_path / "dogs")
    (root / "images/dog").symlink_to(tmp_path / "dogs")
    assert len(load_image_folder(root).labels) == 20


def test_links_that_lead_round_or_nowhere(root: Path) -> None:
    (root / "images/cat/around").symlink_to(root)
    (root / "images/cat/top").symlink_to("/")
    (root / "images/cat/dogs").symlink_to(root / "images/dog")
    (root / "images/cat/self").symlink_to(root / "images/cat/self")
    (root / "images/cat/gone.png").symlink_to(root / "nowhere.png")
    found = load_image_folder(root)
    assert len(found.labels) == 20
    assert (
        "passed over: links to folders that are read already, or lie around this one (3): 'images/cat/around', "
        "'images/cat/dogs', 'images/cat/top'" in found.notes
    )
    assert (
        "passed over: links that lead nowhere (2): 'images/cat/gone.png', 'images/cat/self'; restore what they lead to, "
        "or remove them" in found.notes
    )


def test_the_photos_of_a_folder_do_not_move_behind_a_link(root: Path) -> None:
    """A link that is listed before the folder that it leads to changes nothing."""
    before = find_images(root / "images")
    (root / "images/bat/link").symlink_to(root / "images/owl")
    (root / "aaa").symlink_to(root / "images")
    assert find_images(root / "images") == before
    assert find_images(root) == before


def test_folders_that_cannot_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(place: Path) -> object:
        if Path(place).name == "cat":
            raise PermissionError(13, "Permission denied")
        return scan(place)

    monkeypatch.setattr("rezsl.data._image_files.os.scandir", refuse)
    assert walk_images(root / "images").passed_over == {
        root / "images/cat": "folders that cannot be read; change their permissions"
    }
    with pytest.raises(
        DataError, match=r"'cat'; .*passed over: folders that cannot be read \(1\): 'images/cat'; change"
    ):
        load_image_folder(root)


def test_heic_is_read_where_its_package_is_installed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pillow-heif registers an opener, as that package does."""

    class Opener(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            self._size, self._mode = (2, 2), "RGB"
            self.tile = [ImageFile._Tile("raw", (0, 0, 2, 2), 12, ("RGB", 0, 1))]

    def register() -> None:
        Image.register_open("HEIF", Opener, lambda prefix: prefix[4:12] == b"ftypheic")
        Image.register_extension("HEIF", ".heic")

    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    formats._with_heic.cache_clear()
    try:
        (root / "images/cat/5.HEIC").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes([7, 8, 9] * 4))
        found = load_image_folder(root)
        assert len(found.labels) == 21
        assert not [note for note in found.notes if note.startswith("passed over")]
        assert read_image(root / "images/cat/5.HEIC", 2)[:, 0, 0].tolist() == [7, 8, 9]
        (root / "images/cat/5.HEIC").write_bytes(b"nothing")
        with pytest.raises(DataError, match="got a file that is none; restore it from a copy"):
            read_image(root / "images/cat/5.HEIC", 2)
    finally:
        formats._with_heic.cache_clear()
        for table in (Image.OPEN, Image.EXTENSION):
            table.pop("HEIF", None)
            table.pop(".heic", None)
        Image.ID.remove("HEIF")


def test_real_heic_is_read_where_its_package_is_installed(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    Image.new("RGB", (64, 64), (200, 100, 50)).save(tmp_path / "a.heic")
    assert read_image(tmp_path / "a.heic", 8).float().mean(dim=(1, 2)).tolist() == pytest.approx([200, 100, 50], abs=8)


@pytest.mark.parametrize("forms", [("NFD", "NFC"), ("NFC", "NFD")])
def test_folders_tables_and_splits_are_joined_across_forms(root: Path, forms: tuple[str, str]) -> None:
    on_disk, written = (unicodedata.normalize(form, "café") for form in forms)  # type: ignore[arg-type]
    shutil.move(root / "images/cat", root / "images" / on_disk)
    table = root / "semantics.csv"
    table.write_text(table.read_text().replace("cat", f" {written}"), encoding="utf-8")
    assert report(root).complete
    name = unicodedata.normalize("NFC", "café")
    assert len(load_image_folder(root).semantics.index([name])) == 1
    made = make_splits(root, unseen=[written], validation=0.0)
    assert made.roles.unseen == (name,)
    # splits.csv that went through another system: names of classes and of files in the other form.
    listed = root / "splits.csv"
    listed.write_text(listed.read_text(encoding="utf-8").replace(on_disk, written), encoding="utf-8")
    again = load_image_folder(root)
    assert again.unseen_classes == (name,)
    assert all(Path(str(path)).is_file() for path in again.inputs)
    assert report(root).unlisted == ()
    # A table of groups in the other form.
    groups = "".join(f"images/{written}/{number}.png,{written} {number // 2}\n" for number in range(5))
    (root / "groups.csv").write_text("file,group\n" + groups, encoding="utf-8")
    made = make_splits(root, groups=root / "groups.csv", unseen=["owl"], validation=0.0, overwrite=True)
    assert len({row.group for row in made.rows if row.class_name == name}) == 3


def test_two_folders_of_one_name_are_one_class(root: Path) -> None:
    for form, source in (("NFC", "cat"), ("NFD", "dog")):
        shutil.move(root / "images" / source, root / "images" / unicodedata.normalize(form, "café"))  # type: ignore[arg-type]
    table = root / "semantics.csv"
    table.write_text("class,a,b\ncafé,1,0\nowl,1,1\nbat,1,2\n", encoding="utf-8")
    if len(list((root / "images").iterdir())) < 4:
        pytest.skip("this file system has one form of a name")
    assert report(root).classes["café"] == 10

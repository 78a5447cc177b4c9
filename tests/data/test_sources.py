"""Photos in tar files, in tables of Hugging Face and in object stores are those of the folder that they came from."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rezsl.data import (
    Benchmark,
    FolderReport,
    check_directory,
    identify_inputs,
    load_hugging_face,
    load_image_folder,
    load_tar_shards,
    natural_size,
    read_images,
)
from rezsl.errors import DataError

CLASSES = ("a", "b", "c", "d", "e")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty photos of five classes, which have colours of their own, with a table and a split."""
    root = tmp_path / "folder"
    lines = ["file,class,split"]
    for number, name in enumerate(CLASSES):
        (root / "images" / name).mkdir(parents=True)
        for copy in range(4):
            file = f"images/{name}/{copy}.png"
            Image.new("RGB", (9 + copy, 9), (40 * number, 50 * copy, 7)).save(root / file)
            lines.append(f"{file},{name},{'test_unseen' if name == 'e' else ('train', 'test_seen')[copy == 3]}")
    (root / "splits.csv").write_text("\n".join(lines))
    (root / "semantics.csv").write_text(
        "class,x,y\n" + "".join(f"{name},{i + 1},{i * i}\n" for i, name in enumerate(CLASSES))
    )
    return root


def photos(data: Benchmark) -> torch.Tensor:
    assert not isinstance(data.inputs, torch.Tensor)
    return read_images([*data.inputs], 9)


def same(found: Benchmark, expected: Benchmark) -> None:
    """Compare classes, split and photos, whose order is that of their files."""
    assert torch.equal(found.labels, expected.labels)
    assert {name: part.tolist() for name, part in found.split.parts().items()} == {
        name: part.tolist() for name, part in expected.split.parts().items()
    }
    assert torch.equal(photos(found), photos(expected))
    assert natural_size(found.inputs) == 9
    assert identify_inputs(found.inputs, content=True) == identify_inputs(expected.inputs, content=True)
    assert [size for _, size in identify_inputs(found.inputs)] == [size for _, size in identify_inputs(expected.inputs)]


def shard(path: Path, members: dict[str, bytes], mode: str = "w", **more: Any) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in more.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))


def shards(folder: Path, name_of: Callable[[str, int], str]) -> Path:
    """Put the photos of a folder into two shards beside a table."""
    root = folder.parent / "shards"
    root.mkdir()
    shutil.copy(folder / "semantics.csv", root)
    for number, names in enumerate((CLASSES[:2], CLASSES[2:])):
        members = {}
        for name in names:
            for copy in range(4):
                members[name_of(name, copy)] = (folder / f"images/{name}/{copy}.png").read_bytes()
                if "/" not in name_of(name, copy):
                    label = str(CLASSES.index(name)) if copy else name
                    members[name_of(name, copy).replace(".png", ".cls")] = label.encode()
        shard(root / f"{number}.tar", members | {"notes.txt": b"hello"})
    return root


@pytest.mark.parametrize("name_of", ["{}/{}.png", "{}{}.png"])
def test_shards_have_the_photos_of_their_folder(folder: Path, name_of: str) -> None:
    root = shards(folder, name_of.format)
    (folder / "splits.csv").unlink()
    found = load_tar_shards(root)
    same(found, load_image_folder(folder))
    assert any("passed over: files that are no images (2)" in note for note in found.notes)
    assert not [path for path in root.iterdir() if path.is_dir()]  # nothing is unpacked


def test_a_split_lists_photos_in_shards(folder: Path) -> None:
    root = shards(folder, "{}/{}.png".format)
    lines = (folder / "splits.csv").read_text().replace("images/", "1.tar/")
    (root / "splits.csv").write_text(lines.replace("1.tar/a", "0.tar/a").replace("1.tar/b", "0.tar/b"))
    same(load_tar_shards(root), load_image_folder(folder))
    (root / "splits.csv").write_text(lines)
    with pytest.raises(DataError, match=r"8 listed files do not exist: '?1.tar/a/0.png"):
        load_tar_shards(root)


def test_shards_of_strangers_are_refused_in_one_line(folder: Path) -> None:
    root = shards(folder, "{}/{}.png".format)
    photo = (folder / "images/a/0.png").read_bytes()
    for members, message in (
        ({"../../x.png": photo}, r"expected names inside the archive, got '?../../x.png"),
        ({"/etc/x.png": photo}, r"expected names inside the archive, got '?/etc/x.png"),
        ({"x.png": photo}, r"expected a photo in the folder of its class, or x.cls beside it"),
        ({"x.png": photo, "x.cls": b"9"}, r"expected the number of a class below 5, got 9"),
        ({"x.png": photo, "x.cls": b"a" * 5000}, r"expected the name of a class, got 5,000 bytes"),
    ):
        shard(root / "2.tar", members)
        with pytest.raises(DataError, match=message):
            load_tar_shards(root)
    # Links lead out of an archive, and are not read; neither is a file that is cut off.
    shard(root / "2.tar", {"a/x.png": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd")
    assert len(load_tar_shards(root).labels) == 20
    shard(root / "2.tar", {"a/x.png": photo}, "w:gz")
    with pytest.raises(
        DataError, match=r"2.tar: expected a tar file without compression, got another or a damaged one"
    ):
        load_tar_shards(root)


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_a_data_set_of_hugging_face_has_the_photos_of_its_folder(folder: Path, kind: str) -> None:
    datasets = pytest.importorskip("datasets")
    lines = [line.split(",") for line in (folder / "splits.csv").read_text().splitlines()[1:]]
    features = datasets.Features({
        "image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=[*CLASSES]), "split": datasets.Value("string"),
    })  # fmt: skip
    images = [{"bytes": (folder / file).read_bytes(), "path": None} for file, _, _ in lines]
    columns = {"image": images, "label": [name for _, name, _ in lines], "split": [split for _, _, split in lines]}
    data, root = datasets.Dataset.from_dict(columns, features=features), folder.parent / "saved"
    if kind == "arrow":
        data.save_to_disk(root)
    else:
        root.mkdir()
        data.to_parquet(root / "train.parquet")
    shutil.copy(folder / "semantics.csv", root)
    same(load_hugging_face(root), load_image_folder(folder))
    found, expected = checked(root, decode=True), checked(folder, decode=True)
    assert (found.kind, found.complete) == ("datasets", True)
    assert (found.classes, found.splits, found.counts) == (expected.classes, expected.splits, expected.counts)
    with pytest.raises(DataError, match=r"expected the columns image and kind, got image, label, split without kind"):
        load_hugging_face(root, label="kind")
    with pytest.raises(DataError, match=r"image: expected names of classes, or numbers .* got dict without names"):
        load_hugging_face(root, label="image")


def checked(root: Path, decode: bool = False) -> FolderReport:
    report = check_directory(root, decode)
    assert isinstance(report, FolderReport)
    return report


def test_shards_are_checked_like_their_folder(folder: Path) -> None:
    (folder / "images/e/3.png").write_bytes((folder / "images/a/0.png").read_bytes())
    root, expected = shards(folder, "{}/{}.png".format), checked(folder, decode=True)
    lines = (folder / "splits.csv").read_text().replace("images/", "1.tar/")
    (root / "splits.csv").write_text(lines.replace("1.tar/a", "0.tar/a").replace("1.tar/b", "0.tar/b"))
    found = checked(root, decode=True)
    assert (found.kind, found.complete, found.decoded) == ("tar", True, True)
    assert (found.classes, found.splits, found.counts) == (expected.classes, expected.splits, expected.counts)
    assert found.found == ("*.tar", "semantics.csv", "splits.csv")
    # The copy is found in the shards as it is on the disk, and so is the photo that no decoder reads.
    copies = [note for note in expected.notes if "byte for byte the same" in note]
    assert len(copies) == 1
    assert copies[0] in found.notes
    assert found.passed_over == ("0.tar/notes.txt", "1.tar/notes.txt")
    shard(root / "2.tar", {"a/broken.png": (folder / "images/a/0.png").read_bytes()[:50]})
    assert checked(root).unlisted == ("2.tar/a/broken.png",)
    (root / "splits.csv").unlink()
    found = checked(root, decode=True)
    assert [str(root / "2.tar/a/broken.png") in line for line in found.unreadable] == [True]
    assert not found.complete
    assert found.classes["a"] == 5
    shard(root / "2.tar", {"zebra/x.png": b""})
    assert checked(root).classes["zebra"] == 1
    assert "'zebra'" in checked(root).problems[0]
    (root / "semantics.csv").unlink()
    found = checked(root)
    assert (found.kind, found.missing) == ("tar", ("semantics.csv, which you write yourself",))


def test_a_folder_beside_a_tar_file_stays_a_folder(folder: Path) -> None:
    shard(folder / "backup.tar", {"a/x.png": b""})
    assert checked(folder).kind == "folder"


def test_a_folder_in_an_object_store_is_read_where_it_is(folder: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.put(str(folder), "/bucket/signs", recursive=True)
    try:
        same(load_image_folder("memory://bucket/signs"), load_image_folder(folder))
        store.rm("/bucket/signs/images/a/0.png")
        with pytest.raises(
            DataError, match=r"memory:/bucket/signs/splits.csv: 1 listed files do not exist: '?images/a/0"
        ):
            load_image_folder("memory://bucket/signs")
        store.rm("/bucket/signs/splits.csv")
        found = load_image_folder("memory://bucket/signs")
        assert len(found.labels) == 19
        store.rm("/bucket/signs/images/b/0.png")
        with pytest.raises(DataError, match=r"images/b/0.png: cannot be read|images/b/0.png: no such"):
            photos(found)
        with pytest.raises(DataError, match=r"^memory:/nowhere/images: expected a folder of images for each class"):
            load_image_folder("memory://nowhere")
    finally:
        store.rm("/bucket", recursive=True)


def test_a_listed_address_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of a stranger in the folder of the command could otherwise lead to a network."""
    monkeypatch.chdir(folder)
    lines = (folder / "splits.csv").read_text()
    (folder / "splits.csv").write_text(lines.replace("images/a/0.png", "memory:/bucket/0.png"))
    with pytest.raises(DataError, match=r"expected files inside the folder, got '?memory:/bucket/0.png"):
        load_image_folder(".")

"""Tar files and tables of strangers: only regular files of a bounded size count, and nothing in them runs or leads out."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rezsl.data import load_hugging_face, load_tar_shards, read_image
from rezsl.errors import DataError, RezslError
from tests.hostile.world import photo

TABLE = "class,fur,wings\ncat,1,0\nowl,0,1\ncow,1,1\n"


class Evil:
    """An object whose pickle makes a folder when it is loaded."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("marker",)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "semantics.csv").write_text(TABLE)
    return tmp_path / "data"


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **more: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(content))


def test_links_devices_and_sparse_files_do_not_count(root: Path) -> None:
    (root.parent / "secret.png").write_bytes(photo())
    with tarfile.open(root / "0.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("cat/0.png", "owl/0.png", "cow/0.png"):
            add(archive, name, photo())
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            add(archive, f"cat/{kind.decode()}.png", type=kind, linkname="../../secret.png")
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            add(archive, f"cat/{kind.decode()}.png", type=kind, devmajor=1, devminor=5)
        sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "cat/s.png", "GNU.sparse.realsize": "9999999999"}  # fmt: skip
        add(archive, "cat/s.png", b"1\n0\n9\n".ljust(1024, b"\0"), pax_headers=sparse)
    found = load_tar_shards(root)
    paths = [path for path in found.inputs if isinstance(path, Path)]
    assert [str(path.relative_to(root)) for path in paths] == [f"0.tar/{name}/0.png" for name in ("cat", "cow", "owl")]


def test_pickles_in_an_archive_are_passed_over(root: Path) -> None:
    with tarfile.open(root / "0.tar", "w") as archive:
        for name in ("cat", "owl", "cow"):
            add(archive, f"{name}/0.png", photo())
            for ending in ("pth", "pyd", "pkl", "pickle", "npy", "py", "json"):
                add(archive, f"{name}/0.{ending}", pickle.dumps(Evil()))
    found = load_tar_shards(root)
    assert len(found.labels) == 3
    assert any("passed over: files that are no images (21)" in note for note in found.notes)
    assert not Path("marker").exists()


def test_a_pickle_under_the_name_of_a_photo_is_no_photo(root: Path) -> None:
    with tarfile.open(root / "0.tar", "w") as archive:
        add(archive, "cat/0.png", pickle.dumps(Evil()))
    with pytest.raises(DataError, match=r"0\.tar/cat/0\.png: expected an image, got a file that is none"):
        read_image(root / "0.tar" / "cat" / "0.png", 8)
    assert not Path("marker").exists()


def test_a_file_in_an_archive_is_at_most_256_mib(root: Path) -> None:
    info = tarfile.TarInfo("cat/0.png")
    info.size = 300 << 20
    (root / "0.tar").write_bytes(info.tobuf())
    os.truncate(root / "0.tar", (300 << 20) + 2048)  # which takes no room on the disk
    with pytest.raises(
        DataError, match=r"0\.png: expected a file of at most 268,435,456 bytes, got 314,572,800; leave it"
    ):
        read_image(root / "0.tar" / "cat" / "0.png", 8)


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "secret.png", "s3://evil/x.png", "http://127.0.0.1/x.png", "../secret.png"]
)
def test_paths_in_a_table_are_not_followed(root: Path, place: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for folder in (root, root.parent):
        (folder / "secret.png").write_bytes(photo())
    images = [{"bytes": photo(), "path": None}] * 2 + [{"bytes": None, "path": place}]
    parquet.write_table(pyarrow.table({"image": images, "label": ["cat", "owl", "cow"]}), root / "train.parquet")
    with pytest.raises(RezslError) as refused:
        read_image(load_hugging_face(root).inputs[2], 8)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert "or a path of another file, which is not followed" in str(refused.value)

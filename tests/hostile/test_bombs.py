"""Small files that would take all memory or all time are refused in one line, quickly, in bounded memory."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rezsl.data import load_image_folder
from rezsl.errors import DataError, RezslError
from rezsl.files import delimiter_of, read_csv, read_json, read_npz, read_tensors, read_yaml
from rezsl.limits import MOST_DEPTH
from rezsl.semantics import ClassSemantics, load_word_vectors

GIB = 1 << 30

READ: dict[str, Any] = {".yaml": read_yaml, ".json": read_json, ".npy": read_npz, ".npz": read_npz}


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 2


def refused(path: Path, *parts: str) -> str:
    """Return the message with which each reader of the file's kind refuses it; it is one line with every part."""
    with pytest.raises(DataError) as found:
        READ[path.suffix](path, DataError)
    message = str(found.value)
    assert "\n" not in message
    assert len(message) < 600
    assert message.startswith(str(path))
    assert [part for part in parts if part not in message] == []
    return message


def laughs(levels: int, each: int = 10) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * each)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        laughs(9),
        laughs(30, 2),
        laughs(6).replace("[", "{k: [").replace("]", "]}"),
        "a: &a {b: &b {c: 1}}\n" + "\n".join(f"m{n}: &m{n} [{'*a, ' * 999}]" for n in range(60)),
    ],
    ids=["lists", "doubled", "mappings", "wide"],
)
def test_aliases_that_multiply(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    refused(tmp_path / "a.yaml", "expected a YAML file of at most 200,000 entries", "aliases (*) repeat them; correct")


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "&a {? *a : 1}", "a: &a\n  <<: *a\n"])
def test_aliases_that_contain_themselves(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    refused(tmp_path / "a.yaml", "; correct the file")


def test_aliases_that_share_an_entry_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: &base {rate: 1e-3, tags: [a, b]}\nruns: [*base, *base]\nown: {<<: *base}\n")
    content = read_yaml(tmp_path / "a.yaml", DataError)
    assert content["runs"] == [content["base"]] * 2
    assert content["own"] == {"rate": 1e-3, "tags": ["a", "b"]}


@pytest.mark.parametrize("depth", [MOST_DEPTH + 2, 500, 100_000])
@pytest.mark.parametrize("kind", ["[", '{"a":'])
def test_deep_nesting(tmp_path: Path, depth: int, kind: str) -> None:
    closing = {"[": "]"}.get(kind, "}")
    text = '{"a":' + kind * depth + "1" + closing * depth + "}"
    (tmp_path / "a.json").write_text(text)
    refused(tmp_path / "a.json", "expected a JSON object, got", "; restore the file from a copy")
    (tmp_path / "a.yaml").write_text(text.replace(":", ": "))
    refused(tmp_path / "a.yaml", "expected a YAML file", "; correct the file")


def test_nesting_within_the_limit_is_read(tmp_path: Path) -> None:
    content: dict[str, object] = {"a": 1}
    for _ in range(MOST_DEPTH - 2):
        content = {"a": content}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "a.yaml").write_text(json.dumps(content))
    assert read_json(tmp_path / "a.json", DataError) == read_yaml(tmp_path / "a.yaml", DataError) == content


@pytest.mark.parametrize(
    "text", ["a: " + "1" * 200_000, "a: " + "9" * 200_000 + "e", "a: 1" + "_1" * 100_000, "a: " + "1:" * 100_000]
)
def test_numbers_that_are_slow_to_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with suppress(DataError):  # Python refuses some of them, which are read as text or end in one line
        read_yaml(tmp_path / "a.yaml", DataError)


def test_large_yaml_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n" * 60_000)
    refused(tmp_path / "a.yaml", "expected a YAML file of at most 262,144 bytes, got 300,000; correct the file")


def npy(shape: tuple[int, ...], numbers: bytes = b"", kind: str = "<f8") -> bytes:
    """Return an array file whose header declares a shape, whatever follows."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue() + numbers


@pytest.mark.parametrize(
    ("shape", "declared"),
    [
        ((4 * GIB,), "34,359,738,368"),
        ((1 << 62, 1 << 62), "170,141,183,460,469,231,731,687,303,715,884,105,728"),
        ((3,), "24"),
    ],
)
def test_arrays_whose_header_declares_too_much(tmp_path: Path, shape: tuple[int, ...], declared: str) -> None:
    (tmp_path / "a.npy").write_bytes(npy(shape, b"12345678"))
    refused(tmp_path / "a.npy", f"expected {declared} bytes of numbers, as its header declares", "got 8; restore")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", npy(shape, b"12345678"))
    refused(tmp_path / "a.npz", "'features.npy': expected ", "got 8; restore the file from a copy")


def test_compressed_arrays_that_swell(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(npy((300 << 17,)))
        for _ in range(300):
            stream.write(bytes(1 << 20))
    assert (tmp_path / "a.npz").stat().st_size < 400_000
    refused(tmp_path / "a.npz", "expected arrays of at most 268,435,456 bytes in a file of", "got 314,572,928; restore")


@pytest.mark.parametrize("name", ["a.npy", "a.txt", "../../a.npy"])
def test_archives_of_something_else(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, "words")
    refused(tmp_path / "a.npz", "expected arrays of NumPy, got a damaged file", "is no array", "; restore")


def test_arrays_of_objects_and_pickles_run_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return os.mkdir, (str(tmp_path / "marker"),)

    np.save(tmp_path / "a.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy", "expected arrays of NumPy", "; restore")
    (tmp_path / "a.npz").write_bytes(b"\x80\x04cposix\nmkdir\n(Vmarker\ntR.")
    refused(tmp_path / "a.npz", "expected arrays of NumPy")
    assert not (tmp_path / "marker").exists()


def test_compressed_arrays_of_an_honest_size_are_read(tmp_path: Path) -> None:
    arrays = {"zeros": np.zeros((1000, 1000)), "named": np.array([(1, 2.0)], dtype=[("a", "i4"), ("é", "f4")])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    found = read_npz(tmp_path / "a.npz", DataError)
    assert {name: array.tolist() for name, array in found.items()} == {n: a.tolist() for n, a in arrays.items()}
    for array in (np.zeros(()), np.zeros((0, 3)), np.asfortranarray(np.ones((2, 3))), np.array(["a", "bc"])):
        np.save(tmp_path / "a.npy", array)
        assert np.array_equal(read_npz(tmp_path / "a.npy", DataError)["arr_0"], array)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_csv(path, DataError),
        lambda path: delimiter_of(path, DataError),
        lambda path: read_json(path, DataError),
        lambda path: read_yaml(path, DataError),
        lambda path: read_npz(path, DataError),
        lambda path: read_tensors(path, DataError),
        ClassSemantics.from_csv,
    ],
    ids=["csv", "delimiter", "json", "yaml", "npz", "tensors", "table"],
)
def test_a_pipe_or_a_device_is_no_file(pipe: Path, read: object) -> None:
    assert callable(read)
    for path, kind in ((pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(
            DataError, match=rf"^{path}: expected .*, got {kind}; copy its content into a file, and name"
        ):
            read(path)


def test_a_pipe_among_the_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True)
    os.mkfifo(tmp_path / "semantics.csv")
    os.mkfifo(tmp_path / "images" / "cat" / "0.png")
    with pytest.raises(DataError):
        load_image_folder(tmp_path)


@pytest.mark.parametrize("name", ["words.txt", "words.bin", "words.csv", "words.npy", "words.npz", "words.txt.gz"])
def test_word_vectors_from_a_pipe(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(RezslError, match=r"expected .*, got a pipe; copy its content into a file, and name that"):
        load_word_vectors(tmp_path / name, ["fur"])


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy((4 * GIB,)))
    (tmp_path / "a.yaml").write_text(laughs(9))
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom rezsl.errors import DataError\n"
        "from rezsl.files import read_npz, read_yaml\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for read, name in ((read_npz, 'a.npy'), (read_yaml, 'a.yaml')):\n"
        "    try:\n        read(Path(name), DataError)\n    except DataError:\n        pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 50_000  # KiB

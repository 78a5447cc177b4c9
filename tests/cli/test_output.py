"""What is printed never ends a command, whatever the encoding of its output; and programs read what they get."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from rezsl.cli._options import print_json
from rezsl.cli._output import IN_ASCII, in_ascii, printable_output
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_digits
from rezsl.training import Batches, Training, fit

ENCODINGS = ["cp1252", "ascii", "latin-1", "cp437", "utf-8", "utf-16"]
BYTE_NAME = os.fsdecode(b"caf\xe9.png")


class Kept(io.BytesIO):
    """Bytes that can be read after the stream over them is closed."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on the digits and a photo whose name is no UTF-8."""
    folder = tmp_path_factory.mktemp("output")
    training = Training(max_epochs=1, batches=Batches(per_epoch=2), accelerator="cpu")
    fit(load_digits(), training=training, run_dir=folder / "run", progress=False)
    Image.new("L", (8, 8)).save(folder / "photo.png")
    os.rename(folder / "photo.png", folder / BYTE_NAME)
    return folder


@contextmanager
def output_in(encoding: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """Standard output and errors that are a file in an encoding."""
    raw = Kept()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        patched.setattr(sys, "stderr", stream)
        yield raw
        stream.flush()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "command", ["fit --help", "predict --help", "fit --help all", "", "evaluate run --data digits", "oh"]
)
def test_every_command_prints_in_every_encoding(
    here: Path, command: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    with output_in(encoding, monkeypatch) as raw:
        assert main(command.split()) == (USER_ERROR if command == "oh" else 0)
    assert raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_that_are_no_utf8_are_printed_in_every_form(
    here: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    for form in ("table", "csv", "json"):
        with output_in(encoding, monkeypatch) as raw:
            assert main(["predict", "run", BYTE_NAME, "--format", form]) == 0
        text = raw.getvalue().decode(encoding)
        if form == "json":
            assert json.loads(text)[0]["input"] == BYTE_NAME
        else:
            assert "caf\\xe9.png" in text


def test_json_keeps_every_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["γ", "猫", "café", "😀", "\udce9"]
    for encoding in ENCODINGS:
        with output_in(encoding, monkeypatch) as raw, printable_output():
            print_json(names)
        assert json.loads(raw.getvalue().decode(encoding)) == names


def test_output_that_nobody_has(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["predict", str(here / "run"), str(here / BYTE_NAME)]) == 0
    assert main(["oh"]) == USER_ERROR
    assert sys.stdout is None


def test_closed_and_broken_output(here: Path) -> None:
    command = f"{sys.executable} -m rezsl"
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    for line in (
        f"{command} predict run caf* --format csv <&- >&- 2>&-",
        f"set -o pipefail; {command} predict run caf* --format csv | true",
    ):
        done = subprocess.run(
            ["bash", "-c", line], check=False, cwd=here, env=environment, capture_output=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), line


CHILD = "import os, sys; os.write(1, b'ok'); os.write(2, b'ok'); os.fstat(0); sys.exit(7)"
PARENT = f"""
import os, subprocess, sys
from rezsl.cli._output import printable_output
with printable_output():
    file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
    assert file > 2
    sys.exit(subprocess.run([sys.executable, "-c", {CHILD!r}]).returncode)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_started_processes_have_the_streams_that_were_closed(tmp_path: Path, closed: str) -> None:
    line = f'"$0" -c "$1" file {closed}'
    done = subprocess.run(["bash", "-c", line, sys.executable, PARENT], check=False, cwd=tmp_path, timeout=60)
    assert done.returncode == 7
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.slow
def test_a_training_ends_where_streams_are_closed(tmp_path: Path) -> None:
    options = "--max-epochs 1 --batches.per-epoch 2 --accelerator cpu --devices 2 --report false --run-dir run"
    line = f"{sys.executable} -m rezsl fit --data digits {options} <&- >&- 2>&-"
    done = subprocess.run(["bash", "-c", line], check=False, cwd=tmp_path, capture_output=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "run" / "metrics.json").exists()


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", ["--version", "fit --help", "predict run caf* --format csv"])
def test_a_full_disk_behind_the_output_is_named(here: Path, command: str) -> None:
    line = f"{sys.executable} -m rezsl {command} > {FULL}"
    done = subprocess.run(["bash", "-c", line], check=False, cwd=here, capture_output=True, text=True, timeout=60)
    assert done.returncode == USER_ERROR
    assert done.stderr == (
        "rezsl: error: standard output, where the shell sends what is printed: No space left on device; make room, and "
        "start again\n"
    )


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("output", [f"2> {FULL}", f"> {FULL} 2>&1"])
def test_an_error_that_cannot_be_printed_has_its_exit_code(output: str) -> None:
    line = f"{sys.executable} -m rezsl oh {output}"
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (USER_ERROR, b"", b"")


def test_the_streams_are_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with printable_output():
        sys.stdout.write("γ")
    assert stream.errors == "strict"


def test_signs_of_the_package_have_words_in_ascii() -> None:
    assert all(word.isascii() for word in IN_ASCII.values())
    assert in_ascii("γ = 0.5 ± 0.1 (×10⁻³, R²) … “a” → b") == 'gamma = 0.5 +- 0.1 (x10^-3, R^2) ... "a" -> b'
    assert in_ascii("naïve") == "na\\xefve"

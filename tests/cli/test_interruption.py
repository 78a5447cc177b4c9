"""Ctrl-C ends a command with one line, also where a library has turned its exception into another one."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rezsl.__main__ import main as command
from rezsl.cli import data_check
from rezsl.cli.main import USER_ERROR, main
from rezsl.errors import DataError
from rezsl.interruption import INTERRUPTED


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "images" / "cat" / "1.png")
    (tmp_path / "semantics.csv").write_text("class,fur\ncat,1\n")
    monkeypatch.chdir(tmp_path)


def raising(error: Exception, interrupted: bool) -> Callable[..., int]:
    """Return a command in which a library raises an error, perhaps because of Ctrl-C."""

    def run(*_: object) -> int:
        try:
            if interrupted:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pass
        raise error

    return run


@pytest.mark.parametrize("error", [ImportError("initialization failed"), DataError("a: damaged"), OSError("damaged")])
def test_an_error_after_ctrl_c_is_an_interruption(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data_check, "run", raising(error, interrupted=True))
    assert main(["data", "check", "."]) == INTERRUPTED
    assert capsys.readouterr().err == "\nrezsl: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_errors_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data_check, "run", raising(DataError("a: damaged"), interrupted=False))
    assert main(["data", "check", "."]) == USER_ERROR
    assert capsys.readouterr().err == "rezsl: error: a: damaged\n"
    monkeypatch.setattr(data_check, "run", raising(ImportError("initialization failed"), interrupted=False))
    with pytest.raises(ImportError, match="initialization failed"):
        main(["data", "check", "."])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_the_command_is_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        """Presses Ctrl-C when the module of the command is looked for."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "rezsl.cli.main":
                signal.raise_signal(signal.SIGINT)

    for name in ("rezsl.cli", "rezsl.cli.main"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert command() == INTERRUPTED
    assert capsys.readouterr() == ("", "\nrezsl: interrupted\n")


def test_little_is_loaded_before_the_command_can_answer_ctrl_c() -> None:
    code = "import sys; before = {*sys.modules}; import rezsl.__main__; print(*sorted({*sys.modules} - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("rezsl")] == ["rezsl", "rezsl.__main__", "rezsl.interruption"]
    assert not {"importlib.metadata", "re", "typing"} & {*loaded}

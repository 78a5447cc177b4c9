"""Processes that are killed with signal 9 in the middle of a write, or at any moment."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rezsl import writing
from rezsl.cli.main import main
from rezsl.experiments import storage
from rezsl.regions import extraction

Moment = Literal["half written", "written", "in place"]
"""When a process is killed: half of the content is in the file, all of it, or the file has its own name already."""

CRASHED = 70
"""The exit code of a process that ended by an exception."""


@dataclass(frozen=True)
class Kill:
    """A kill at a moment of the write with a number, counted from 1."""

    number: int
    moment: Moment

    def __str__(self) -> str:
        return f"write {self.number} {self.moment}"


def arm(kill: Kill | None) -> list[int]:
    """Let this process kill itself in one of its writes, and return a list whose length is their number."""
    writes: list[int] = []
    whole, replace, link = writing.write_whole, os.replace, os.link

    def is_due(*moments: Moment) -> bool:
        return kill is not None and len(writes) == kill.number and kill.moment in moments

    def write_whole(stream: Any, content: bytes) -> None:
        writes.append(len(content))
        if is_due("half written"):
            stream.write(content[: len(content) // 2])
            die()
        whole(stream, content)
        # Files that only grow are in place when they are written.
        if is_due("written") or (is_due("in place") and not str(stream.name).endswith(".partial")):
            die()

    def then_die(move: Callable[..., Any]) -> Callable[..., Any]:
        def moved(*arguments: Any, **options: Any) -> None:
            move(*arguments, **options)
            if is_due("in place"):
                die()

        return moved

    for module in (writing, extraction, storage):
        module.write_whole = write_whole  # type: ignore[attr-defined]
    os.replace, os.link = then_die(replace), then_die(link)
    return writes


def die() -> None:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(line: list[str], log: Path, kill: Kill | None = None, seconds: float = 600.0) -> tuple[int, int]:
    """Run a command line of rezsl in a forked process, which has all its imports already.

    Returns:
        The exit code, which is negative for a signal, and the number of writes, which is 0 after a signal.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    counted = log.with_suffix(".writes")
    counted.unlink(missing_ok=True)
    if (child := os.fork()) == 0:
        code = CRASHED
        try:
            with log.open("ab") as file:
                for descriptor in (1, 2):
                    os.dup2(file.fileno(), descriptor)
            writes = arm(kill)
            code = main(line)
            counted.write_text(str(len(writes)))
        except BaseException:  # noqa: BLE001 - the traceback is what the log is for
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + seconds
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1]), int(counted.read_text()) if counted.exists() else 0

"""Work that is killed: what is run first, what is run after a kill, and what must be equal in the end."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from rezsl.locks import LOCK

DATA = (
    *("--data", "synthetic", "--data.classes", "12", "--data.attributes", "6", "--data.unseen", "3"),
    *("--data.validation", "3", "--data.samples", "200", "--data.dim", "8"),
)
TRAINING = ("--model", "linear", "--max-epochs", "2", "--batches.per-epoch", "2", "--accelerator", "cpu")
DIGITS = ("--data", "digits", "--backbone", "small_resnet", "--backbone.width", "2")
SPACE = {"loss_weight": [0.5, 2, 8]}


@dataclass(frozen=True)
class Scenario:
    """Work in a directory."""

    directory: Path

    def line(self) -> list[str]:
        """Return the command line for the state that the directory is in."""
        raise NotImplementedError

    def kept(self) -> dict[str, bytes]:
        """Return what must be equal, whatever has happened, by name."""
        raise NotImplementedError

    def check(self) -> None:
        """Check, after a kill, what can be checked of the unfinished work."""

    def is_finished(self) -> bool:
        """Return whether there is nothing to go on with, although the last process was killed."""
        return False


class Fit(Scenario):
    """A run, which is resumed as its own messages say."""

    @property
    def run(self) -> Path:
        return self.directory / "run"

    def line(self) -> list[str]:
        if (self.run / "settings.json").exists():
            return ["fit", "--run-dir", str(self.run), "--resume"]
        return ["fit", *DATA, *TRAINING, "--report", "false", "--run-dir", str(self.run)]

    def kept(self) -> dict[str, bytes]:
        # The lock of a process that was killed after its last write counts for nothing, and nobody comes to remove it.
        return {name: without_times(name, content) for name, content in files_of(self.run).items() if name != LOCK}

    def is_finished(self) -> bool:
        return (self.run / "metrics.json").exists()


class Extract(Scenario):
    """A store of regions, for which the same command goes on."""

    def line(self) -> list[str]:
        return ["extract", *DIGITS, "--chunk", "600", "--batch-size", "300", "-o", str(self.directory / "store")]

    def kept(self) -> dict[str, bytes]:
        return files_of(self.directory / "store")


class Sweep(Scenario):
    """A search, in whose journal every whole line stays; how it goes on depends on the trials that were ended."""

    def line(self) -> list[str]:
        space = self.directory / "space.yaml"
        if not space.exists():
            space.write_text(yaml.safe_dump(SPACE))
        return [
            "sweep",
            *DATA,
            *TRAINING,
            "--space",
            str(space),
            "--trials",
            "3",
            "-o",
            str(self.directory / "best.yaml"),
        ]

    def kept(self) -> dict[str, bytes]:
        lines = (self.directory / "best.journal").read_text().splitlines()
        finished = sum(json.loads(line)["op_code"] == 6 for line in lines)
        names = sorted(path.name for path in self.directory.iterdir())
        return {"files": " ".join(names).encode(), "finished": str(finished >= 3).encode()}

    def check(self) -> None:
        journal, before = self.directory / "best.journal", self.directory.parent / f"{self.directory.name}.before"
        found = journal.read_bytes() if journal.exists() else b""
        whole = found[: found.rfind(b"\n") + 1]
        assert whole.startswith(before.read_bytes() if before.exists() else b""), "the journal has lost lines"
        before.write_bytes(whole)


SCENARIOS = {"fit": Fit, "extract": Extract, "sweep": Sweep}


def files_of(directory: Path) -> dict[str, bytes]:
    """Return the content of all files, hidden ones included, by their paths in the directory."""
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def without_times(name: str, content: bytes) -> bytes:
    """Return the content of a file of a run without the seconds that it took, and without its own place."""
    if name == "history.csv":
        rows = [{**row, "seconds": ""} for row in csv.DictReader(io.StringIO(content.decode()))]
        return json.dumps(rows).encode()
    if name == "metrics.json":
        return json.dumps({**json.loads(content), "seconds": 0}).encode()
    if name == "config.yaml":
        return b"\n".join(line for line in content.splitlines() if not line.startswith(b"run_dir:"))
    return content

"""The benchmarks of this revision, run on the sources of another one and on its own, in turns.

The other revision is checked out as a worktree of git, which is removed at the end. Both run the files of this package
as they are here, so that they do the same; a file that the other revision cannot run is named.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main(revision: str, names: Sequence[str], rounds: int = 2) -> None:
    """Print the times of both revisions and their ratios as Markdown, file by file, and all of them as JSON."""
    rows: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "other"
        _git("worktree", "add", "--quiet", "--detach", str(other), revision)
        try:
            print(f"| what | {revision} | here | {revision} / here |\n|---|---|---|---|", flush=True)
            for name in names:
                found = _best(name, other / "src", rounds)
                for what, before, now in found:
                    times = f"{1e3 * before:,.3f} ms | {1e3 * now:,.3f} ms"
                    print(f"| {what} | {times} | {before / now:.2f} × |", flush=True)
                rows += found
        finally:
            _git("worktree", "remove", "--force", str(other))
    print()
    columns = ("what", "before", "now")
    print(json.dumps({"revision": revision, "rows": [dict(zip(columns, row, strict=True)) for row in rows]}))


def _best(name: str, other: Path, rounds: int) -> list[tuple[str, float, float]]:
    """Return name and shortest times of each row; the revisions take turns, because the machine does other things."""
    times: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for _ in range(rounds):
        for kept, sources in zip(times, (other, ROOT / "src"), strict=True):
            for what, seconds in _measured(name, sources).items():
                kept[what] = min(seconds, kept.get(what, seconds))
    before, now = times
    return [(what, before[what], now[what]) for what in now if what in before]


def _measured(name: str, sources: Path) -> dict[str, float]:
    """Return the seconds of each row of a file with some sources."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (sources, ROOT)))}
    command = [sys.executable, "-m", "benchmarks", name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: {sources} cannot run it ({done.stderr.strip().splitlines()[-1]})", file=sys.stderr)
        return {}
    rows = json.loads(done.stdout.strip().splitlines()[-1])["rows"]
    return {row["what"]: row["seconds"] for row in rows}


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)

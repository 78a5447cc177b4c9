"""``make torture``: kill runs, extractions and searches, go on with them, and compare the results bit for bit.

Every write of each kind of work is killed at three moments, then processes are killed at random moments, several times
in a row. The result must be that of work that was never interrupted, and no file of a killed process may be left.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

os.environ["OMP_NUM_THREADS"] = "1"

from rezsl.cli import extract, fit, sweep  # noqa: F401 - forked processes have these imports already
from tests.torture.killing import Kill, Moment, run
from tests.torture.scenarios import SCENARIOS, Scenario

IN_A_ROW = 5
"""The most kills at random moments before the work may end."""


class Torture:
    """The kills of one call, within a time.

    Args:
        folder: where the work is done.
        seconds: after this time no further kill begins.
        most: the largest number of pieces of work that are killed.
    """

    def __init__(self, folder: Path, seconds: float, most: int) -> None:
        self.folder, self.until, self.left = folder, time.monotonic() + seconds, most
        self.kills, self.works, self.failures = 0, 0, list[str]()
        self.expected: dict[str, dict[str, bytes]] = {}
        self.writes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    def measure(self, name: str) -> None:
        """Do a kind of work without a kill, to know its result, its writes and its duration."""
        work, started = self._new(name, "whole"), time.monotonic()
        code, self.writes[name] = run(work.line(), self._log(work))
        assert code == 0, self._log(work).read_text()
        self.seconds[name] = time.monotonic() - started
        self.expected[name] = work.kept()

    def kill(self, name: str, what: str, kills: Iterator[tuple[Kill | None, float]]) -> None:
        """Begin a kind of work, kill it as often as ``kills`` says, let it end, and compare its result."""
        work = self._new(name, f"work-{self.works}")
        self.works, self.left = self.works + 1, self.left - 1
        try:
            for kill, seconds in kills:
                code, _ = run(work.line(), self._log(work), kill, seconds)
                if code >= 0:
                    assert code == 0, "it failed"
                    break
                self.kills += 1
                work.check()
                if work.is_finished():
                    break
            if not work.is_finished():
                assert run(work.line(), self._log(work))[0] == 0, "it could not be gone on with"
            found, expected = work.kept(), self.expected[name]
            differing = [part for part in {**found, **expected} if found.get(part) != expected.get(part)]
            assert not differing, f"different from uninterrupted work: {', '.join(differing)}"
        except (AssertionError, OSError, ValueError) as error:
            last = self._log(work).read_text().strip().splitlines()[-1:]
            self.failures.append(f"{name}, {what}: {error} ({' '.join(last)})")
            say(f"FAILED {self.failures[-1]}")

    def is_over(self) -> bool:
        """Return whether no further kill may begin."""
        return time.monotonic() > self.until or self.left <= 0

    def _new(self, name: str, directory: str) -> Scenario:
        place = self.folder / f"{name}-{directory}"
        place.mkdir()
        return SCENARIOS[name](place)

    def _log(self, work: Scenario) -> Path:
        return self.folder / "logs" / f"{work.directory.name}.log"


def at_every_write(torture: Torture, names: list[str], draw: random.Random, every: int) -> None:
    """Kill each kind of work at its writes, in an order that is drawn, so that a short time tries all parts of it."""
    for name in names:
        kills = [Kill(number, moment) for number in range(1, torture.writes[name] + 1) for moment in get_args(Moment)]
        draw.shuffle(kills)
        tried = 0
        for kill in kills[::every]:
            if torture.is_over():
                break
            torture.kill(name, str(kill), iter([(kill, 600.0)]))
            tried += 1
        say(f"{name}: killed at {tried} of {len(kills)} moments of its {torture.writes[name]} writes")


def at_random(torture: Torture, names: list[str], draw: random.Random) -> None:
    """Kill work at random moments, up to several times in a row, until the time is over."""
    before = torture.works
    while not torture.is_over():
        name = draw.choice(names)
        times = [draw.uniform(0, torture.seconds[name]) for _ in range(draw.randint(1, IN_A_ROW))]
        what = f"after {', '.join(f'{seconds:.2f} s' for seconds in times)}"
        torture.kill(name, what, ((None, seconds) for seconds in times))
    say(f"killed {torture.works - before} pieces of work at random moments")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Torture, and return the exit code: 1 if anything was lost."""
    options = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    options.add_argument("--seconds", type=float, default=540.0, help="no kill begins after this time")
    options.add_argument("--kills", type=int, default=sys.maxsize, help="the most pieces of work that are killed")
    options.add_argument("--every", type=int, default=1, help="kill at every n-th moment of the writes only")
    options.add_argument("--only", choices=list(SCENARIOS), nargs="+", default=list(SCENARIOS))
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    started, draw = time.monotonic(), random.Random(given.seed)
    with TemporaryDirectory(prefix="torture-") as folder:
        torture = Torture(Path(folder), given.seconds, given.kills)
        for name in given.only:
            torture.measure(name)
        at_every_write(torture, given.only, draw, given.every)
        at_random(torture, given.only, draw)
    say(
        f"{torture.kills} kills of {torture.works} pieces of work in {time.monotonic() - started:.0f} s; "
        f"{len(torture.failures)} lost something or could not be gone on with"
    )
    return int(bool(torture.failures))


if __name__ == "__main__":
    sys.exit(main())

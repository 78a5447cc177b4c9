"""Studies in a server of PostgreSQL, which is started for the test on a socket, and stopped in the middle."""

import gc
import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rezsl.errors import ArgumentError
from rezsl.experiments.search import SettingsSearch
from rezsl.training import Choice
from tests.experiments.test_storage import SPACE, finished_of_four, parabola, search
from tests.processes import found_at_once

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
"""Where Debian's package has them; they are not on the path."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed"),
]


class Server:
    """A server whose files and socket are in one folder of a user who is not root, as PostgreSQL demands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid} if os.geteuid() == 0 else {}
        if self._as_user:
            shutil.chown(folder, user)
        self._run("initdb", "--auth=trust", "--username=rezsl", "--no-sync", "--pgdata", str(self.data))
        self.url = f"postgresql+psycopg://rezsl@/postgres?host={folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(PROGRAMS[-1].parent / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._as_user)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    # The path of a socket must be short, and its folder must be open to the user.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        found = Server(Path(folder))
        found.start()
        try:
            yield found
        finally:
            found.stop()
            with warnings.catch_warnings(action="ignore"):  # of connections that Optuna and the stop have left
                gc.collect()


def test_searches_of_several_processes_share_a_study(server: Server) -> None:
    found = found_at_once(finished_of_four, server.url)
    # Each of the commands counts the trials of the others that are over; those on the way are beyond the four.
    assert all(isinstance(count, int) and count >= 4 for count in found), found
    assert 4 <= search(server.url, 4).finished <= 6


def test_a_server_that_stops_is_one_line_and_the_study_goes_on(server: Server) -> None:
    search(server.url, 2)
    with pytest.raises(ArgumentError) as error:
        SettingsSearch(partial(stop_and_train, server), SPACE, 4, server.url, "other").run()
    message = str(error.value)
    assert message.startswith(
        "storage: expected a database of studies, but this one of postgresql+psycopg cannot be used ("
    )
    assert message.endswith("check the address, restore the database from a copy, or name another one")
    assert "\n" not in message
    server.start()
    assert SettingsSearch(parabola, SPACE, 4, server.url, "other").run().finished == 4


def stop_and_train(server: Server, values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
    server.stop()
    return parabola(values, watch)

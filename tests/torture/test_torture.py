"""A short torture, of which ``make torture`` is the long one."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_few_killed_runs_end_as_if_they_had_never_been_interrupted() -> None:
    # In a process of its own, because a process that has computed with PyTorch must not be forked.
    command = [sys.executable, "-m", "tests.torture", "--only", "fit", "--kills", "4", "--seconds", "60"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 kills of 4 pieces of work" in ended.stdout

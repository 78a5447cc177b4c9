"""The ``rezsl`` command, also as ``python -m rezsl``."""

import os
import sys

from rezsl.interruption import end_interrupted


def main() -> int:
    """Run this process's command line; return its exit code, also when Ctrl-C comes while the command is loaded."""
    # OpenMP reads this when PyTorch is loaded. Threads that spin while they wait take many times as long beside others.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from rezsl.cli.main import main as run  # noqa: PLC0415 - Ctrl-C in this import has one line too

        return run()
    except KeyboardInterrupt:
        return end_interrupted()


if __name__ == "__main__":
    sys.exit(main())

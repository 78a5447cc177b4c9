"""What a command prints when Ctrl-C ends it, in a module that needs no other and is ready before the rest is loaded."""

import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def end_interrupted(advice: str = "") -> int:
    """Print that Ctrl-C has ended the command, and how it can be gone on with; return the exit code."""
    print_error(f"\nrezsl: interrupted{f'; {advice}' if advice else ''}")
    return INTERRUPTED


def print_error(text: str) -> None:
    """Print a line as an error; where that is impossible, only the exit code says that there was one."""
    try:  # noqa: SIM105 - contextlib would be one more module to load
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is what a command does
    except OSError:
        pass

"""The ``rezsl`` command, also as ``python -m rezsl``."""

import sys

from rezsl.errors import MissingPackageError, needs


def main() -> int:
    """Run this process's command line; without the packages of the command line, name the extra that brings them."""
    try:
        with needs("cli", "the command line"):
            from rezsl.cli.main import main as run  # noqa: PLC0415 - needs optional packages
    except MissingPackageError as error:
        print(f"rezsl: error: {error}", file=sys.stderr)  # noqa: T201 - this is the command's own output
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())

"""The ``rezsl`` command, also as ``python -m rezsl``."""

import sys

from rezsl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

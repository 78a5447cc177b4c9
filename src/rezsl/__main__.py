"""``python -m rezsl`` is the ``rezsl`` command."""

import sys

from rezsl.cli.main import main

sys.exit(main())

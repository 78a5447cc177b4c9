"""The command line: one module per command; options are the signatures of the public functions.

Modules that begin with an underscore are shared by the commands; files of options name the classes of ``choices``.
"""

from rezsl.cli.main import main

__all__ = ["main"]

"""The command line: one module per command; options are the signatures of the public functions."""

from rezsl.cli.main import main

__all__ = ["main"]

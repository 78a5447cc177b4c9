"""Names that ``--logger`` accepts. They stand apart from the other choices, because only training needs the import."""

from jsonargparse.typing import class_from_function

from rezsl.cli.choices import NAMES, with_short_stack
from rezsl.training import LOGGERS, Logger


def _offer() -> None:
    """Make each logger an attribute of this module, under the name that the command line uses."""
    for name, logger in LOGGERS.items():
        class_from_function(logger, func_return=Logger, name=name)


with_short_stack(_offer)
NAMES["logger"] = tuple(LOGGERS)

__all__ = ["Logger"]

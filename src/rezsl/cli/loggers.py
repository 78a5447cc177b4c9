"""Names that ``--logger`` accepts. They stand apart from the other choices, because only training needs the import."""

from jsonargparse.typing import class_from_function

from rezsl.cli.choices import NAMES
from rezsl.training import LOGGERS, Logger

# Each class becomes an attribute of this module, under the name that the command line uses.
for _name, _logger in LOGGERS.items():
    class_from_function(_logger, func_return=Logger, name=_name)

NAMES["logger"] = tuple(LOGGERS)

__all__ = ["Logger"]

"""``rezsl data``: look a data set over, and split one's own images; each sub-command is a module beside this one."""

from importlib import import_module

from rezsl.cli.options import parse, suggestion
from rezsl.errors import RezslError

SUMMARY = "look a data set over, or split one's own images"
COMMANDS = {
    "check": "say what a data set's directory holds and what it lacks",
    "make-splits": "choose unseen classes, validation classes and test images of one's own folder",
}


def dispatch(arguments: list[str]) -> int:
    """Run a sub-command; its exit code. Without one, say which there are."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        raise RezslError(
            f"unknown sub-command {name!r} of data{suggestion(name, COMMANDS)}; sub-commands: {', '.join(COMMANDS)}"
        )
    command = import_module(f"rezsl.cli.data_{name.replace('-', '_')}")
    options = command.parser()
    return int(command.run(options, parse(options, arguments[1:])))


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "usage: rezsl data SUB-COMMAND DIR [options]\n\n"
        f"{SUMMARY[0].upper()}{SUMMARY[1:]}.\n\n"
        f"{lines}\n\n"
        "rezsl data SUB-COMMAND --help lists a sub-command's options."
    )

"""``--resume``, for the commands that can go on with what was interrupted."""

from collections.abc import Iterator
from contextlib import contextmanager

YES = ("true", "yes", "on")
"""What YAML, and so every other option, takes for true."""


def spelled_out(arguments: list[str]) -> list[str]:
    """``--resume`` alone means true; ``--resume false`` becomes ``--resume=false``."""
    result: list[str] = []
    for argument in arguments:
        if result and result[-1] == "--resume" and not argument.startswith("-"):
            result[-1] = f"--resume={argument}"
        else:
            result.append(argument)
    return ["--resume=true" if argument == "--resume" else argument for argument in result]


def is_asked(arguments: list[str]) -> bool:
    """Whether arguments that are spelled out ask to resume; the last one counts, as with every option."""
    values = [argument.partition("=")[2] for argument in arguments if argument.startswith("--resume=")]
    return bool(values) and values[-1].lower() in YES


@contextmanager
def advice_when_interrupted(advice: str) -> Iterator[None]:
    """Let Ctrl-C carry, to where it is reported, how to go on."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise KeyboardInterrupt(advice) from interruption

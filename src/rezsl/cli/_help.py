"""The help of every command on one screen; ``--help all`` lists the other options too.

No module is imported for it but the table of screens, because PyTorch alone takes a second.
"""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from rezsl.cli._screens import SCREENS


def overview() -> str:
    """Return the list of commands, below the four that a new user needs."""
    first = {
        "rezsl demo": "digits, in under a minute",
        "rezsl data check signs": "your own folder: what is missing?",
        "rezsl fit --data folder --data.root signs --run-dir runs/signs": "",
        "rezsl predict runs/signs photo.jpg": "also classes without photos",
    }
    lines = [
        *textwrap.wrap("rezsl recognises classes without training photos, by a table that describes them.", width()),
        "\nStart here:",
        *(f"  {command:<37} {f'# {comment}' if comment else ''}".rstrip() for command, comment in first.items()),
        "\nCommands:",
        *columns({name: entry.summary for name, entry in SCREENS.items() if " " not in name}),
        "\nrezsl COMMAND --help shows how to use a command.",
    ]
    return "\n".join(lines)


def screen(command: str) -> str:
    """Return the help of a command; of one that only has commands below it, their list."""
    options = SCREENS[command].options
    below = {name: other.summary for name, other in SCREENS.items() if name.startswith(f"{command} ")}
    lines = heading(command)
    if options:
        lines += ["\nOptions:", *columns(options), *meaning(command)]
        lines += [f"\nrezsl {command} --help all lists every option."]
    if below:
        lines += ["\nCommands:", *columns(below)]
    return "\n".join(lines)


def meaning(command: str) -> list[str]:
    """Return the lines on what a command prints; none where it needs no explanation."""
    answers = SCREENS[command].answers if command in SCREENS else {}
    return ["\nWhat it prints:", *columns(answers)] if answers else []


def heading(command: str) -> list[str]:
    """Return the lines above the options: what the command does, its usage, and its examples."""
    summary, usage, examples, *_ = SCREENS[command]
    lines = [*textwrap.wrap(sentence(summary), width()), "", f"Usage: rezsl {command} {usage}"]
    return lines + ["\nExamples:", *(f"  # {comment}\n  {line}" for line, comment in examples.items())] * bool(examples)


def sentence(clause: str) -> str:
    """Return a clause as a sentence."""
    return f"{clause[0].upper()}{clause[1:]}."


def described(command: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Return how the screen of a command writes an option of one of those names, and its description."""
    options = (
        {**SCREENS["fit"].options, **SCREENS["sweep"].options}
        if command == "sweep"
        else (SCREENS[command].options if command in SCREENS else {})
    )
    wanted = set(names)
    return next((entry for entry in options.items() if wanted & set(entry[0].replace(",", "").split())), None)


def columns(entries: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a list with a name in the left column and its description in the right one."""
    indent = 2 + min(24, max(map(len, entries))) + 2
    for name, text in entries.items():
        wrapped = textwrap.wrap(text, width() - indent, break_long_words=False, break_on_hyphens=False) or [""]
        if len(name) > indent - 4:
            yield f"  {name}"
        else:
            wrapped[0] = f"  {name:<{indent - 2}}{wrapped[0]}"
            yield wrapped.pop(0)
        yield from (f"{'':{indent}}{line}".rstrip() for line in wrapped)


def width() -> int:
    """Return the columns of a line: those of the terminal, and at most 80, beyond which lines are hard to read."""
    return min(80, max(50, shutil.get_terminal_size().columns))

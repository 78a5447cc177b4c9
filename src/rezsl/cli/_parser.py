"""The parser of a command, and the help of all its options in the names that users type."""

import re
import textwrap
from argparse import SUPPRESS, Action
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._help import columns, described, heading, meaning, width
from rezsl.cli._screens import EVERYWHERE

PAIRS = r"--(\w+\.)*value_range"
"""The options whose value is two numbers."""


class Parser(ArgumentParser):
    """A parser of options that have hyphens on the command line, in help and in messages, as in ``--max-epochs``.

    Options are the parameters of Python functions, whose names have underscores, also in YAML. :func:`as_parsed` and
    :func:`as_typed` are the border between the two.
    """

    def parse_args(self, args: Any = None, *others: Any, **options: Any) -> Any:
        """Parse a command line."""
        return super().parse_args(None if args is None else as_parsed(args), *others, **options)

    def format_help(self, formatter: object = None) -> str:
        """Return the description, the usage, and every option by group."""
        command = self.prog.removeprefix("rezsl ")
        # The help of one choice, such as --data.help folder, is that of a parser without a command.
        choice = re.fullmatch(r"Help for --(\w+)\.help=(?:.*\.)?(\w+)", self.description or "")
        lines = [f"The options of --{choice[1]} {choice[2]}:"] if choice else heading(command)
        for group in self._action_groups:
            entries = dict(self._entry(command, action) for action in group._group_actions if _is_shown(action))
            if entries:
                title = plain(group.title or "").partition(":")[0]
                lines += ["", *textwrap.wrap(f"{title[:1].upper()}{title[1:]}:", width()), *columns(entries)]
        if choice:
            return "\n".join(lines)
        lines += ["", "In every command:", *columns(EVERYWHERE), *meaning(command)]
        if helps := [option for option in self._option_string_actions if option.endswith(".help")]:
            listed = f"The options of one choice are listed by {' NAME, '.join(helps)} NAME."
            lines += ["", *textwrap.wrap(listed, width())]
        return "\n".join(lines)

    def _entry(self, command: str, action: Action) -> tuple[str, str]:
        """Return an option with its value as they are typed, and its description with its choices and default."""
        options = [as_typed(option) for option in action.option_strings if not option.endswith("+")]
        value, choices = _value(action)
        known = described(command, options or [str(action.metavar), action.dest])
        if known is not None:
            name, description = known
        else:
            name = f"{', '.join(options)} {value}".strip() if options else str(action.metavar or action.dest)
            description = self._hyphened(plain(action.help or "").removesuffix("."))
        if any(choice not in description for choice in choices):
            description = f"{description}; one of {', '.join(choices)}".removeprefix("; ")
        if known is None and "(default" not in description and (default := _default(action.default)):
            description += f" (default: {default})"
        return name, description

    def _hyphened(self, text: str) -> str:
        """Return a description in which the other options of the parser have the names that are typed."""
        names = {action.dest.rsplit(".", 1)[-1] for action in self._actions}
        return re.sub(r"[a-z]+_[a-z_]+", lambda word: word[0].replace("_", "-") if word[0] in names else word[0], text)

    def print_help(self, file: Any = None) -> None:
        """Print the help; jsonargparse calls it for the options of one choice."""
        print(self.format_help(), file=file)


def new_parser(command: str) -> Parser:
    """Make the parser of a command, such as ``data check``; it raises errors and accepts no shortened options."""
    return Parser(prog=f"rezsl {command}", exit_on_error=False, allow_abbrev=False)


def as_parsed(arguments: Sequence[str]) -> list[str]:
    """Return arguments in which ``--run-dir`` is ``--run_dir``; values stay as they are."""
    words = (re.match(r"(--[^=]*)(.*)", argument, re.DOTALL) for argument in arguments)
    return _with_pairs(
        [
            found[1].replace("-", "_").replace("__", "--", 1) + found[2] if found else argument
            for argument, found in zip(arguments, words, strict=True)
        ]
    )


def _with_pairs(arguments: Sequence[str]) -> list[str]:
    """Return arguments in which ``--data.value_range 0 4095`` is one word, as jsonargparse reads a pair of numbers."""
    words, position = list[str](), 0
    while position < len(arguments):
        word, following = arguments[position], arguments[position + 1 : position + 3]
        if re.fullmatch(PAIRS, word) and len(following) == 2 and all(map(_is_number, following)):
            words.append(f"{word}=[{', '.join(following)}]")
            position += 2
        else:
            words.append(word)
        position += 1
    return words


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word) is not None


def as_typed(text: str) -> str:
    """Return a text in which ``--run_dir`` is ``--run-dir``."""
    return re.sub(r"--[a-z][\w.]*", lambda option: option[0].replace("_", "-"), text)


def plain(text: str) -> str:
    """Return a text of a docstring without its marks, without Python paths, and with null as YAML writes None."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("`", "")
    text = re.sub(r"\brezsl(?:\.\w+)*\.(\w+)", r"\1", text)
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))


def _is_shown(action: Action) -> bool:
    """Return whether an option has a line of its own: not a whole group, whose options follow one by one."""
    hidden = action.help is SUPPRESS or action.dest.endswith(".help")
    return not hidden and type(action).__name__ not in ("_HelpAction", "_ActionConfigLoad")


def _value(action: Action) -> tuple[str, Sequence[str]]:
    """Return what stands for the value of an option, and the values it accepts if they can be listed."""
    from rezsl.cli.choices import NAMES  # noqa: PLC0415 - loads the data readers and models

    hint = str(getattr(action, "_typehint", action.type))
    if action.dest in NAMES:
        return "NAME", NAMES[action.dest]
    if literal := re.search(r"Literal\[(.*?)\]", hint):
        return "NAME", [word.strip("' ") for word in literal[1].split(",")]
    if action.nargs == 0:
        return "", ()
    if any(re.fullmatch(PAIRS, option) for option in action.option_strings):
        return "LOW HIGH", ()
    kinds = {"bool": "true|false", "int": "N", "float": "X", "Path": "PATH", "list": "LIST", "str": "TEXT"}
    kind = next((value for kind, value in kinds.items() if re.search(rf"\b{kind}\b", hint)), "VALUE")
    return str(action.metavar or kind) if kind != "true|false" else kind, ()


def _default(value: Any) -> str:
    """Return a default as it would be typed; an empty text where there is none."""
    if isinstance(value, dict | Namespace):
        value = value.get("class_path")
    if callable(value):
        value = value.__name__
    if value in (None, SUPPRESS, [], ""):
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.rsplit(".", 1)[-1] if text.startswith("rezsl.") else text

"""One sentence about the option that was typed, in place of the messages of jsonargparse, which name Python types."""

import re
from collections.abc import Sequence
from pkgutil import resolve_name

from jsonargparse import ArgumentParser

from rezsl.cli._help import described
from rezsl.cli._parser import PAIRS
from rezsl.errors import suggestion

KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "Path": "a path", "str": "a text"}

BASES = ("Benchmark", "ImageBackbone")
"""What jsonargparse takes where the options of --data or --backbone come without a name."""


def explained(message: str, options: ArgumentParser) -> str:
    """Turn the message of an error of parsing into a sentence with the option, the expected and the actual value.

    Names of options keep the underscores of their Python names.
    """
    helped = f"see {options.prog} --help"
    known = [
        string for action in options._actions for string in action.option_strings if not string.endswith((".help", "+"))
    ]
    if unknown := re.search(r"unrecognized arguments: (.*)", message):
        word = re.split(r"[\s=]", unknown[1])[0]
        if not word.startswith("-"):
            return f"unexpected argument {word!r}; names of options begin with --; {helped}"
        return f"unknown option {word}{suggestion(_typed(word), map(_typed, known))}; {helped}"
    if unknown := re.match(r"Option '([\w.]+)'", message):  # of a file, whose options are written as in Python
        meant = suggestion(unknown[1], [name.removeprefix("--") for name in known])
        return f"unknown option {unknown[1]!r} in the configuration{meant}; {helped}"
    if missing := re.match(r"the following arguments are required: (.*)", message):
        return f"expected {_listed(missing[1].split(', '), options)}, got none; {helped}"
    if missing := re.match(r"argument (?:\S+/)?(--\w[\w.]*): expected (?:one|at least one) argument", message):
        return f"{missing[1]}: expected a value, got none; {helped}"
    keys = dict.fromkeys(re.findall(r'Parser key "([\w.]+)"', message))
    prefix = re.match(r"--[\w.]+", message)
    option = "--" + ".".join(keys) if keys else prefix[0] if prefix else ""
    return (
        _about_pair(option, message, helped)
        or _about_choice(option, message)
        or _about_option_of_choice(option.removesuffix(".help"), message, options.prog)
        or f"{option}: {_about_value(message)}; {helped}".removeprefix(": ")
    )


def _about_pair(option: str, message: str, helped: str) -> str:
    """Return the sentence on an option whose value is no pair of numbers; empty for other options."""
    if not re.fullmatch(PAIRS, option):
        return ""
    got = re.search(r"(?:[Gg]ot|Given) (?:value: )?([\w.\[\], -]+)$", message)
    return f"{option}: expected two numbers such as 0 4095{f', got {got[1]}' if got else ''}; {helped}"


def _about_choice(option: str, message: str) -> str:
    """Return the sentence on a wrong choice, such as the name of a model; empty for other errors."""
    from rezsl.cli.choices import NAMES  # noqa: PLC0415 - loads the data readers and models

    if unknown := re.search(r"Expected a dot import path string: ?(\S*)", message):
        if names := NAMES.get(option.removeprefix("--").removesuffix(".help")):
            return (
                f"{option}: unknown {unknown[1]!r}{suggestion(unknown[1], names)}; expected {', '.join(sorted(names))}"
            )
        return f"{option}: expected null, or a class with its module such as package.module.Class, got {unknown[1]!r}"
    if missing := re.search(r"No module named '([\w.]+)'", message):
        return (
            f"{option}: expected a class in a module that can be imported, got no module {missing[1]!r}; for a module "
            f"of the current folder add --import {missing[1]}"
        )
    return ""


def _about_option_of_choice(of: str, message: str, program: str) -> str:
    """Return the sentence on a wrong option of a choice, such as ``--model.hidden_dim``; empty for other errors."""
    if nested := re.search(r"Dict must include a class_path .*?NestedArg\(key='([\w.]+)'", message):
        return expected_name(of, nested[1])
    choice = re.search(r"class_path[ =]'([\w.]+)'", message)
    if choice is None:
        return ""
    name = choice[1].rsplit(".", 1)[-1]
    if name in BASES:
        unnamed = re.search(r"Option '([\w.]+)' is not accepted|NestedArg\(key='([\w.]+)'", message)
        return expected_name(of, (unnamed[1] or unnamed[2]) if unnamed else "")
    helped = f"see {program} {of}.help {name}"
    if unknown := re.search(r"Option '([\w.]+)' is not accepted", message):
        word = f"{of}.{unknown[1]}"
        return f"unknown option {word} of {name}{suggestion(_typed(word), _options_of(choice[1], of))}; {helped}"
    if missing := re.search(r"the following arguments are required: ([\w, ]+)", message):
        return f"expected {', '.join(f'{of}.{word}' for word in missing[1].split(', '))} of {name}, got none; {helped}"
    return ""


def expected_name(of: str, option: str = "") -> str:
    """Return the sentence on an option, such as ``hidden_dim`` of ``--model``, whose choice was not named."""
    given = f"{of}.{option}" if option else of
    return f"{given}: expected {of} NAME before its options, got none; name the choice too"


def _about_value(message: str) -> str:
    """Return what was expected of a value and what was given."""
    got = re.search(
        r"(?:Got|Given) value: (?!Namespace|NestedArg)(.*?)(?:\.? Got value: Namespace.*| - Expected.*|$)", message
    )
    given = f", got {got[1]}" if got else ""
    if literal := re.search(r"Expected a typing\.Literal\[(.*?)\]", message):
        words = literal[1].replace("'", "")
        others = [KINDS[name] for name in re.findall(r"Expected a <class '(\w+)'>", message) if name in KINDS]
        if KINDS["bool"] in others:
            return f"expected one of true, false, {words}{given}"
        return f"expected {', or '.join([*others, words])}{given}" if others else f"expected one of {words}{given}"
    if kind := re.search(r"Expected a <class '(?:[\w.]+\.)?(\w+)'>", message):
        return f"expected {KINDS.get(kind[1], kind[1])}{given}"
    if file := re.search(r"File does not exist: '(.*?)'", message):
        return f"expected a file that exists, got {file[1]}"
    rest = re.sub(r'^(?:Parser key "[\w.]+": *|--[\w.]+: *)+', "", message)
    return re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", rest)


def _listed(names: Sequence[str], options: ArgumentParser) -> str:
    """Return missing options and arguments as they are typed, each with what stands for its value."""
    command = options.prog.removeprefix("rezsl ")
    actions = {action.dest: action for action in options._actions}
    typed = []
    for name in names:
        action = actions.get(name)
        strings = [name] if action is None else action.option_strings or [str(action.metavar)]
        known = described(command, map(_typed, strings))
        typed.append(strings[-1] if known is None else known[0])
    return " and ".join(typed)


def _options_of(path: str, prefix: str) -> list[str]:
    """Return the options of a choice as they are typed."""
    options = ArgumentParser(exit_on_error=False)
    # The first two parameters of a model or backbone are passed by the training.
    options.add_class_arguments(
        resolve_name(path), prefix[2:], skip={2} if prefix in ("--model", "--backbone") else None
    )
    return [_typed(string) for action in options._actions for string in action.option_strings if "." in string]


def _typed(option: str) -> str:
    return option.replace("_", "-")

"""A plan of a comparison: methods and losses on data sets, over seeds, each with its own search."""

import re
from argparse import ArgumentError as EntryError
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from jsonargparse import ArgumentParser

from rezsl.errors import ArgumentError
from rezsl.experiments.space import read_space
from rezsl.metrics import OBJECTIVES

Options = dict[str, Any]
Entries = TypeVar("Entries")


@dataclass(frozen=True)
class Cell:
    """One method with one loss on one data set, by their names in the plan.

    Attributes:
        options: options of ``rezsl fit``.
        space: entries of the search space, see :func:`rezsl.experiments.space.read_space`; empty without a search.
    """

    dataset: str
    method: str
    loss: str
    options: Options
    space: Options

    @property
    def name(self) -> str:
        """The name of the row in tables and legends."""
        return f"{self.method} + {self.loss}"

    @property
    def folder(self) -> str:
        """The cell's folder below those of runs, logs and searches."""
        return f"{self.dataset}/{self.method}/{self.loss}"


@dataclass(frozen=True)
class Search:
    """The entry ``search`` of a plan's file.

    Attributes:
        trials: number of trials for each cell that has a search space, at least 1; 0 stands for no search.
        objective: validation metric to maximise.
        space: options that are searched for all cells, with their ranges or choices.
        methods: by method, options that are searched beside those; null takes an option out.
        losses: the same by loss.
    """

    trials: int = 0
    objective: str = "H"
    space: Options = field(default_factory=dict)
    methods: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ArgumentError(f"objective: expected {' or '.join(OBJECTIVES)}, got {self.objective}")
        _check_options("methods", self.methods)
        _check_options("losses", self.losses)

    def of(self, method: str, loss: str) -> Options:
        """Return the entries of the search space of a method with a loss."""
        entries = {**self.space, **(self.methods.get(method) or {}), **(self.losses.get(loss) or {})}
        return {name: entry for name, entry in entries.items() if entry is not None} if self.trials else {}


@dataclass(frozen=True)
class Plan:
    """The runs of a comparison; all attributes but ``record`` are entries of the plan's file.

    Attributes:
        datasets: names of data sets with options of ``rezsl fit``.
        methods: the same for methods.
        losses: the same for losses.
        seeds: different whole numbers of at least 0; every row is run with each, and searched with the first.
        baseline: ``method`` and ``loss`` of the row that the others are compared with.
        pairs: by method, the only losses that it is run with; other methods are run with all.
        options: options of every run; those of data sets, methods and losses are merged over them in that order.
        search: the search of every row.
        record: the content of the plan's file, with which the file of a later call must agree.
    """

    datasets: dict[Any, Any]
    methods: dict[Any, Any]
    losses: dict[Any, Any]
    seeds: list[int]
    baseline: dict[str, str]
    pairs: dict[str, list[str]] = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    search: Search = field(default_factory=Search)
    record: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("datasets", "methods", "losses"):
            named = getattr(self, part)
            if not named:
                raise ArgumentError(
                    f"{part}: expected names with options of rezsl fit, got {named}; write them as a mapping"
                )
            for name in named:
                if not isinstance(name, str) or not name or name.startswith(".") or set(name) & set('/\\:*?"<>|'):
                    raise ArgumentError(
                        f"{part}: expected names that can name a folder, got {name!r}; put odd ones in quotes"
                    )
            _check_options(part, named)
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ArgumentError(
                f"seeds: expected a list of different whole numbers of at least 0, got {self.seeds}; correct it"
            )
        _check_known("pairs", self.pairs, self.methods, "method")
        for method, losses in self.pairs.items():
            if not losses or not set(losses) <= set(self.losses):
                raise ArgumentError(
                    f"pairs: {method}: expected a list of {', '.join(self.losses)}, got {losses}; correct it"
                )
        if self.baseline not in [{"method": method, "loss": loss} for method, loss in self.rows]:
            shown = ", ".join(f"{method} with {loss}" for method, loss in self.rows)
            raise ArgumentError(
                f"baseline: expected {{method, loss}} of one of the rows ({shown}), got {self.baseline}; name one"
            )
        _check_known("search: methods", self.search.methods, self.methods, "name")
        _check_known("search: losses", self.search.losses, self.losses, "name")
        for cell in self.cells:
            if cell.space:
                read_space(cell.space, "search")

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Each method with each of its losses."""
        return [(method, loss) for method in self.methods for loss in self.pairs.get(method, self.losses)]

    @property
    def cells(self) -> list[Cell]:
        """Every row on every data set, in the plan's order."""
        return [
            Cell(
                dataset,
                method,
                loss,
                merged(self.options, options, self.methods[method], self.losses[loss]),
                self.search.of(method, loss),
            )
            for dataset, options in self.datasets.items()
            for method, loss in self.rows
        ]


def read_plan(content: object, source: str, roots: Mapping[str, str] | None = None) -> Plan:
    """Make a plan from a YAML file with the entries of :class:`Plan` and, under ``search``, those of :class:`Search`.

    ``source`` is the file's name for messages, and ``roots`` are the directories of data sets by name. An entry that is
    missing, unknown, or of the wrong kind, is an :class:`ArgumentError`, which names it.
    """
    if not isinstance(content, Mapping):
        raise ArgumentError(
            f"{source}: expected a plan with datasets, methods and losses, got {type(content).__name__}; write them "
            f"as in configs/plans/digits.yaml"
        )
    search = Search()
    if content.get("search") is not None:
        search = _read(Search, content["search"], f"{source}: search")
        if search.trials < 1:
            raise ArgumentError(
                f"{source}: search: expected trials of at least 1, got {search.trials}; or leave search out"
            )
    plan = _read(Plan, content, source, search=search, record=deepcopy(dict(content)))
    if unknown := set(roots or {}) - set(plan.datasets):
        raise ArgumentError(f"data_root: {source} has no data set {min(unknown)!r}; it has {', '.join(plan.datasets)}")
    datasets = dict(plan.datasets)
    for name, root in (roots or {}).items():
        datasets[name] = merged(datasets[name], {"data": {"init_args": {"root": root}}})
    return replace(plan, datasets=datasets)


def merged(*parts: Mapping[str, Any] | None) -> Options:
    """Lay options over options: mappings are merged entry by entry, and everything else is replaced; None is empty.

    Two descriptions of one class, with ``class_path`` and ``init_args`` or by the class's name alone, are merged; the
    arguments of another class are dropped.
    """
    result: Options = {}
    for part in parts:
        for name, value in (part or {}).items():
            before = result.get(name)
            if isinstance(before, str) and isinstance(value, Mapping) and "init_args" in value:
                before = {"class_path": before}
            kind = before.get("class_path") if isinstance(before, Mapping) else None
            if isinstance(before, Mapping) and isinstance(value, Mapping) and value.get("class_path", kind) == kind:
                result[name] = merged(before, value)
            else:
                result[name] = deepcopy(value)
    return result


def _read(entries: type[Entries], content: object, source: str, **made: Any) -> Entries:
    """Make a dataclass from a mapping of its fields and from fields that are made already."""
    known = ", ".join(entry.name for entry in fields(entries) if entry.name != "record")  # type: ignore[arg-type]
    if not isinstance(content, Mapping):
        raise ArgumentError(f"{source}: expected {known}, got {content}")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(entries, "read", skip=set(made))
    # An entry that is null is an entry that is left out.
    given = {str(name): entry for name, entry in content.items() if entry is not None and name != "search"}
    try:
        # Not parser.instantiate, which would build every class that an option describes.
        return entries(**vars(parser.parse_object({"read": given}).read), **made)
    except EntryError as error:
        message = " ".join(str(error).split()).replace("read.", "")
        if unknown := re.search(r"option '([^']+)'", message, re.IGNORECASE):
            raise ArgumentError(f"{source}: unknown entry {unknown[1]!r}; expected {known}") from error
        if missing := re.search(r"required: (.*)", message):
            raise ArgumentError(f"{source}: expected an entry {missing[1]}, got none; add it") from error
        message = re.sub(r'Parser key "([\w.]+)":', r"\1:", message).replace("Got value:", "got")
        message = re.sub(r"Expected an? <class '(\w+)'>\.", r"expected a value of type \1,", message)
        raise ArgumentError(f"{source}: {message}; correct it") from error
    except ArgumentError as error:
        raise ArgumentError(f"{source}: {error}") from error


def _check_options(part: str, named: Mapping[Any, Any]) -> None:
    for name, options in named.items():
        if options is not None and not isinstance(options, Mapping):
            raise ArgumentError(f"{part}: {name}: expected options of rezsl fit, got {options}; correct it")


def _check_known(part: str, names: Iterable[str], known: Iterable[str], kind: str) -> None:
    if unknown := set(names) - set(known):
        raise ArgumentError(f"{part}: unknown {kind} {min(unknown)!r}; expected {', '.join(known)}")

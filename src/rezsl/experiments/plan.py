"""A plan: which methods and losses are compared on which data sets, over which seeds, with which search."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from rezsl.errors import ArgumentError
from rezsl.experiments.space import SearchSpace, read_space
from rezsl.metrics import OBJECTIVES

Options = dict[str, Any]
PARTS = ("datasets", "methods", "losses", "pairs", "seeds", "baseline", "search", "options")


@dataclass(frozen=True)
class Cell:
    """One method with one loss on one data set.

    Attributes:
        dataset: its name in the plan.
        method: its name in the plan.
        loss: its name in the plan.
        options: of ``rezsl fit``.
        space: what is searched for it; empty where nothing is.
    """

    dataset: str
    method: str
    loss: str
    options: Options
    space: SearchSpace

    @property
    def name(self) -> str:
        """Its folder below those of runs, logs and searches."""
        return f"{self.dataset}/{self.method}/{self.loss}"


@dataclass(frozen=True)
class Plan:
    """What a comparison runs.

    Attributes:
        cells: every method with each of its losses on every data set, in the plan's order.
        seeds: each cell is run with each; the search uses the first.
        baseline: the method and the loss that the others are compared with.
        trials: of the search of each cell; 0 where there is none.
        objective: validation figure that the search maximises.
        record: the plan as it was written, for a later call to be checked against.
    """

    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    baseline: tuple[str, str]
    trials: int
    objective: str
    record: dict[str, Any]


def read_plan(content: object, source: str, roots: Mapping[str, str] | None = None) -> Plan:
    """A plan from what a YAML file holds.

    Args:
        content: the file's content: ``datasets``, ``methods`` and ``losses``, each a mapping from names to options of
            ``rezsl fit``, which are merged in that order over ``options``; ``pairs``, from a method to the only losses
            it is run with (others are run with all); ``seeds``; ``baseline`` with ``method`` and ``loss``; ``search``
            with ``trials``, ``space``, further spaces for single ``methods`` and ``losses`` (null takes an option out)
            and ``objective``.
        source: what messages call the file.
        roots: for data sets, the directories that they are in.

    Raises:
        ArgumentError: an entry is missing, unknown, or of the wrong kind; the message names it.
    """
    if not isinstance(content, Mapping):
        raise ArgumentError(
            f"{source}: expected a plan with datasets, methods and losses, got {type(content).__name__}"
        )
    if unknown := set(content) - set(PARTS):
        raise ArgumentError(f"{source}: unknown entry {min(map(str, unknown))!r}; expected {', '.join(PARTS)}")
    datasets, methods, losses = (_named(content.get(part), f"{source}: {part}") for part in PARTS[:3])
    common = _options(content.get("options"), f"{source}: options")
    pairs = _pairs(content.get("pairs"), methods, losses, f"{source}: pairs")
    search = _Search.read(content.get("search"), methods, losses, f"{source}: search")
    placed = _placed(datasets, roots or {}, source)
    cells = tuple(
        Cell(dataset, method, loss, merged(common, placed[dataset], methods[method], losses[loss]),
             search.space(method, loss))
        for dataset in datasets
        for method in methods
        for loss in pairs[method]
    )  # fmt: skip
    return Plan(
        cells,
        _seeds(content.get("seeds"), f"{source}: seeds"),
        _baseline(content.get("baseline"), cells, f"{source}: baseline"),
        search.trials,
        search.objective,
        deepcopy(dict(content)),
    )


def merged(*parts: Mapping[str, Any]) -> Options:
    """Lay options over options: mappings are merged entry by entry, and everything else is replaced.

    Two descriptions of one class, with ``class_path`` and ``init_args`` or by the class's name alone, are merged; the
    arguments of another class are dropped.
    """
    result: Options = {}
    for part in parts:
        for name, value in part.items():
            before = result.get(name)
            if isinstance(before, str) and isinstance(value, Mapping) and "init_args" in value:
                before = {"class_path": before}
            if isinstance(before, Mapping) and isinstance(value, Mapping) and _is_same_class(before, value):
                result[name] = merged(before, value)
            else:
                result[name] = deepcopy(value)
    return result


def _is_same_class(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return bool(after.get("class_path", before.get("class_path")) == before.get("class_path"))


@dataclass(frozen=True)
class _Search:
    """The part of a plan on searching."""

    trials: int
    objective: str
    common: Mapping[str, Any]
    methods: Mapping[str, Options]
    losses: Mapping[str, Options]
    where: str

    @classmethod
    def read(
        cls, content: object, methods: Mapping[str, Options], losses: Mapping[str, Options], where: str
    ) -> "_Search":
        if content is None:
            return cls(0, "H", {}, {}, {}, where)
        parts = ("trials", "space", "methods", "losses", "objective")
        if not isinstance(content, Mapping) or set(content) - set(parts):
            raise ArgumentError(f"{where}: expected {', '.join(parts)}, got {content}")
        trials, objective = content.get("trials"), content.get("objective", "H")
        if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
            raise ArgumentError(f"{where}: expected trials of at least 1, got {trials}")
        if objective not in OBJECTIVES:
            raise ArgumentError(f"{where}: expected an objective of {' or '.join(OBJECTIVES)}, got {objective}")
        own: list[dict[str, Options]] = []
        for part, known in (("methods", methods), ("losses", losses)):
            given = {
                str(name): _options(entry, f"{where}: {part}: {name}")
                for name, entry in (content.get(part) or {}).items()
            }
            if unknown := set(given) - set(known):
                raise ArgumentError(f"{where}: {part}: unknown name {min(unknown)!r}; expected {', '.join(known)}")
            own.append(given)
        return cls(trials, objective, _options(content.get("space"), f"{where}: space"), own[0], own[1], where)

    def space(self, method: str, loss: str) -> SearchSpace:
        """What is searched for a method with a loss."""
        entries = {**self.common, **self.methods.get(method, {}), **self.losses.get(loss, {})}
        kept = {name: entry for name, entry in entries.items() if entry is not None}
        return read_space(kept, self.where) if kept else {}


def _named(content: object, where: str) -> dict[str, Options]:
    """Names with options; a name becomes a folder."""
    if not isinstance(content, Mapping) or not content:
        raise ArgumentError(f"{where}: expected names with options of rezsl fit, got {content}")
    for name in content:
        if not isinstance(name, str) or not name or name.startswith(".") or set(name) & set('/\\:*?"<>|'):
            raise ArgumentError(f"{where}: expected names that can name a folder, got {name!r}; put odd ones in quotes")
    return {name: _options(options, f"{where}: {name}") for name, options in content.items()}


def _options(content: object, where: str) -> Options:
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ArgumentError(f"{where}: expected options of rezsl fit, got {content}")
    return dict(content)


def _pairs(
    content: object, methods: Mapping[str, Options], losses: Mapping[str, Options], where: str
) -> dict[str, list[str]]:
    """The losses of each method."""
    result = {method: list(losses) for method in methods}
    for method, chosen in _options(content, where).items():
        if method not in methods:
            raise ArgumentError(f"{where}: unknown method {method!r}; expected {', '.join(methods)}")
        if not isinstance(chosen, list) or not chosen or not set(map(str, chosen)) <= set(losses):
            raise ArgumentError(f"{where}: {method}: expected a list of {', '.join(losses)}, got {chosen}")
        result[method] = chosen
    return result


def _seeds(content: object, where: str) -> tuple[int, ...]:
    numbers = content if isinstance(content, list) else []
    valid = numbers and all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in numbers)
    if not valid or len(set(numbers)) < len(numbers):
        raise ArgumentError(f"{where}: expected a list of different whole numbers of at least 0, got {content}")
    return tuple(numbers)


def _baseline(content: object, cells: tuple[Cell, ...], where: str) -> tuple[str, str]:
    entry = _options(content, where)
    pair = (str(entry.get("method")), str(entry.get("loss")))
    known = dict.fromkeys((cell.method, cell.loss) for cell in cells)
    if set(entry) != {"method", "loss"} or pair not in known:
        shown = ", ".join(f"{method} with {loss}" for method, loss in known)
        raise ArgumentError(f"{where}: expected {{method, loss}} of one of the rows ({shown}), got {content}")
    return pair


def _placed(datasets: Mapping[str, Options], roots: Mapping[str, str], source: str) -> dict[str, Options]:
    """The data sets' options with the directories that were given for them."""
    if unknown := set(roots) - set(datasets):
        raise ArgumentError(f"data_root: {source} has no data set {min(unknown)!r}; it has {', '.join(datasets)}")
    result = dict(datasets)
    for name, root in roots.items():
        data = datasets[name].get("data")
        named = {"data": {"class_path": data} if isinstance(data, str) else data or {}}
        result[name] = merged(datasets[name], named, {"data": {"init_args": {"root": root}}})
    return result

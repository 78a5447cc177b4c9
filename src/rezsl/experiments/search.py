"""A search for settings: trials of the selection stage, drawn by Optuna, in a study that can be continued."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import get_param_importances
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from rezsl.errors import ArgumentError, RezslError, RunDirectoryError
from rezsl.experiments.differences import differences
from rezsl.experiments.space import SearchSpace
from rezsl.metrics import METRICS
from rezsl.training import Choice

Trainer = Callable[[dict[str, Any], Callable[[Choice], None]], Choice]
"""A function of option values and of a callback, which receives each epoch's choice; it returns the final choice."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        values: the best settings, by dotted name.
        score: their validation value of the objective, in ``[0, 1]``.
        objective: name of the metric that was maximised.
        importance: each option's share of the differences between trials, summing to 1, the largest first; empty where
            there are too few finished trials to say, or all are alike.
        finished: trials that ran to their end.
        pruned: trials that were given up early.
        failed: trials whose settings could not be run.
    """

    values: dict[str, Any]
    score: float
    objective: str
    importance: dict[str, float]
    finished: int
    pruned: int
    failed: int


def open_storage(location: str) -> BaseStorage:
    """A database by its URL, such as ``sqlite:///study.db`` or ``postgresql://…``, or a local journal file by its path.

    Raises:
        ArgumentError: the database cannot be reached, or the file's folder does not exist.
    """
    if "://" not in location:
        path = Path(location)
        if not path.absolute().parent.is_dir():
            raise ArgumentError(f"storage: expected a file in a folder that exists, got {location}; make the folder")
        return JournalStorage(JournalFileBackend(location))
    with _told(location):
        return RDBStorage(location)


@contextmanager
def _told(location: str) -> Iterator[None]:
    """What is wrong with a database, as one line, when it is opened and later."""
    if "://" not in location:
        yield
        return
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError  # noqa: PLC0415 - takes long, for databases only

    scheme = location.partition("://")[0]
    try:
        yield
    except RezslError:
        raise
    except Exception as error:
        # Optuna's own code stumbles over a connection that is lost: the reason may lie deep.
        chain: list[BaseException] = [error]
        while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(deeper)
        missing = [part.name for part in chain if isinstance(part, ModuleNotFoundError)]
        of_database = [part for part in chain if isinstance(part, SQLAlchemyError)]
        if isinstance(error, NoSuchModuleError):
            raise ArgumentError(f"storage: expected sqlite, postgresql or mysql before ://, got {scheme}") from error
        if missing:
            raise ArgumentError(
                f"storage: {scheme}:// needs the Python package {missing[-1]}, which is not installed; install it, or "
                f"name another driver, as in {scheme.partition('+')[0]}+DRIVER://"
            ) from error
        if of_database:
            reason = str(of_database[-1].__cause__ or of_database[-1]).splitlines()[0]
            raise ArgumentError(f"storage: the {scheme} database cannot be used ({reason})") from error
        raise


def search(
    train: Trainer,
    space: SearchSpace,
    trials: int,
    storage: str,
    study: str = "sweep",
    objective: str = "H",
    record: Mapping[str, Any] | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> SearchResult:
    """Try settings on validation classes until the study has ``trials`` trials, those of other processes included.

    Trials that fall behind the median of earlier ones at the same epoch are given up early.

    Args:
        train: trains with some settings; a :class:`RezslError` of its counts as a failed trial.
        space: what may be varied.
        trials: how many trials the study has at the end; an earlier study that has them all is only read.
        storage: see :func:`open_storage`.
        study: name of the study in it.
        objective: name of the metric to maximise, one of :data:`rezsl.metrics.OBJECTIVES`.
        record: what else decides the outcome; a study is only continued with the record, the space and the objective
            that it began with.
        seed: of the draws.
        report: told a line per finished trial.

    Raises:
        RunDirectoryError: the study began otherwise; the message names the difference.
        ArgumentError: fewer than one trial, a storage that cannot be opened, or no trial that ran to its end.
    """
    if trials < 1:
        raise ArgumentError(f"trials: expected at least 1, got {trials}")
    with _quiet(), _told(storage):
        kept = optuna.create_study(
            storage=open_storage(storage), study_name=study, direction="maximize", load_if_exists=True
        )
        _agree(kept, {"space": {name: str(entry) for name, entry in space.items()}, "objective": objective,
                      "config": dict(record or {})}, study, storage)  # fmt: skip
        kept.sampler = optuna.samplers.TPESampler(
            seed=seed + len(kept.trials), n_startup_trials=min(10, 1 + trials // 3)
        )
        kept.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

        def run_trial(trial: optuna.Trial) -> float:
            return _try(trial, train, space, objective)

        def tell(of: optuna.Study, trial: FrozenTrial) -> None:
            report(_line(trial, objective))
            if _counted(of) >= trials:
                of.stop()

        if _counted(kept) < trials:
            kept.optimize(run_trial, callbacks=[tell], catch=(RezslError,))
        return _result(kept, space, objective)


def _try(trial: optuna.Trial, train: Trainer, space: SearchSpace, objective: str) -> float:
    """Run one trial and return its validation value of the objective."""
    values = {name: entry.suggest(name, trial) for name, entry in space.items()}
    trial.set_user_attr("values", values)

    def watch(epoch: Choice) -> None:
        trial.report(_score(epoch, objective), epoch.epochs)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        score = _score(train(values, watch), objective)
        if not math.isfinite(score):
            raise ArgumentError(f"validation {objective}: expected a number, got {score}; the training diverged")
        return score
    except RezslError as error:
        trial.set_user_attr("reason", " ".join(str(error).split()))
        raise


def _score(choice: Choice, objective: str) -> float:
    return float(getattr(choice, METRICS[objective].choice))


def _agree(study: optuna.Study, record: dict[str, Any], name: str, storage: str) -> None:
    """Keep the record of a new study; refuse one that began with another."""
    # As JSON gives it back: tuples become lists.
    record = json.loads(json.dumps(record, default=str))
    before = study.user_attrs.get("rezsl")
    if before is None:
        study.set_user_attr("rezsl", record)
    elif changed := differences(before, record):
        raise RunDirectoryError(
            f"study: {name!r} in {storage} was begun with another {changed[0]}"
            f"{f' (and {len(changed) - 1} more)' if len(changed) > 1 else ''}; continue it as it was, or give --study "
            f"another name"
        )


def _counted(study: optuna.Study) -> int:
    """Trials that are over; those that Ctrl-C ended are not among them."""
    return sum(_is_over(trial) for trial in study.get_trials(deepcopy=False))


def _is_over(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "reason" in trial.user_attrs


def _line(trial: FrozenTrial, objective: str) -> str:
    settings = ", ".join(f"{name} {_shown(value)}" for name, value in trial.user_attrs.get("values", {}).items())
    match trial.state:
        case TrialState.COMPLETE:
            assert trial.value is not None
            outcome = f"{objective} {100 * trial.value:.1f} %"
        case TrialState.PRUNED:
            outcome = f"given up after epoch {max(trial.intermediate_values, default=0)}"
        case _:
            outcome = f"failed: {trial.user_attrs.get('reason', 'interrupted')}"
    return f"trial {trial.number + 1}: {outcome}  ({settings})"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _result(study: optuna.Study, space: SearchSpace, objective: str) -> SearchResult:
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    reasons = [trial.user_attrs["reason"] for trial in trials if "reason" in trial.user_attrs]
    if not complete:
        why = f"; the last one failed: {reasons[-1]}" if reasons else ""
        raise ArgumentError(f"trials: expected at least one that runs to its end, got none{why}")
    best = study.best_trial
    assert best.value is not None
    return SearchResult(
        values=dict(best.user_attrs["values"]),
        score=best.value,
        objective=objective,
        importance=_importance(study, complete, space),
        finished=len(complete),
        pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
        failed=len(reasons),
    )


def _importance(study: optuna.Study, complete: list[FrozenTrial], space: SearchSpace) -> dict[str, float]:
    """Shares of importance; nothing to tell apart means none."""
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    shares = get_param_importances(study, params=list(space))
    return shares if sum(shares.values()) > 0 else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines: rezsl reports the trials itself."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)

"""A search for settings: trials of the selection stage, drawn by Optuna, in a study that can be continued."""

import json
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rezsl.errors import ArgumentError, RezslError, RunDirectoryError, needs

with needs("experiments", "searches"):
    import optuna
    from optuna.importance import get_param_importances
    from optuna.trial import FrozenTrial, TrialState

from rezsl.experiments.space import SearchSpace
from rezsl.experiments.storage import explained_errors, open_storage
from rezsl.experiments.workers import WorkerError, Workers
from rezsl.files import differences
from rezsl.metrics import METRICS
from rezsl.training import Choice

Trainer = Callable[[dict[str, Any], Callable[[Choice], None]], Choice]
"""A function of option values and of a callback, which receives each epoch's choice; it returns the final choice."""


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        values: the best settings, by dotted name.
        score: their validation value of the objective, in ``[0, 1]``.
        objective: name of the metric that was maximised.
        importance: each option's share of the differences between trials, summing to 1, the largest first; empty where
            there are too few finished trials, or all have the same value.
        finished: trials that ran to their end.
        pruned: trials that were stopped early.
        failed: trials whose settings could not be run.
    """

    values: dict[str, Any]
    score: float
    objective: str
    importance: dict[str, float]
    finished: int
    pruned: int
    failed: int


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
    processes: int = 1,
) -> SearchResult:
    """Try settings on validation classes until the study has ``trials`` trials, those of other processes included.

    Trials that fall behind the median of earlier ones at the same epoch are given up early.

    Args:
        train: trains with some settings; where it raises a :class:`RezslError`, the trial has failed. With several
            processes it is pickled.
        space: the options that are varied.
        trials: how many trials the study has at the end; an earlier study that has them all is only read.
        storage: see :func:`rezsl.experiments.storage.open_storage`.
        study: name of the study in the storage.
        objective: name of the metric to maximise, one of :data:`rezsl.metrics.OBJECTIVES`.
        record: everything else that decides the outcome; a study is only continued with the record, the space and the
            objective that it began with.
        seed: seed of the draws.
        report: called with a line per finished trial.
        processes: how many trials run at a time, each in a process; with one, they run in this process.

    Raises:
        RunDirectoryError: the study began otherwise; the message names the difference.
        ArgumentError: fewer than one trial or process, a storage that cannot be opened, a process that died, or no
            trial that ran to its end.
    """
    for name, number in (("trials", trials), ("processes", processes)):
        if number < 1:
            raise ArgumentError(f"{name}: expected at least 1, got {number}")
    run = _Trials(train, space, trials, storage, study, objective)
    with _quiet(), explained_errors(storage):
        kept = optuna.create_study(
            storage=open_storage(storage), study_name=study, direction="maximize", load_if_exists=True
        )
        _agree(kept, {"space": {name: str(entry) for name, entry in space.items()}, "objective": objective,
                      "config": dict(record or {})}, study, storage)  # fmt: skip
        seed += len(kept.trials)

        def show(_: optuna.Study, trial: FrozenTrial) -> None:
            report(_line(trial, objective))
            if _counted(kept) >= trials:
                kept.stop()

        if processes > 1:
            _run_in_processes(run, kept, seed, lambda trial: report(_line(trial, objective)), processes)
        elif _counted(kept) < trials:
            run.prepare(kept, seed)
            kept.optimize(run.score, callbacks=[show], catch=(RezslError,))
        return _result(kept, space, objective)


@dataclass(frozen=True)
class _Trials:
    """The trials of a search; the arguments of :func:`search` describe the attributes."""

    train: Trainer
    space: SearchSpace
    trials: int
    storage: str
    study: str
    objective: str

    def prepare(self, study: optuna.Study, seed: int, parallel: bool = False) -> None:
        """Set how a study draws settings, and when it gives a trial up."""
        study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=min(10, 1 + self.trials // 3), constant_liar=parallel
        )
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

    def score(self, trial: optuna.Trial) -> float:
        """Run one trial and return its validation value of the objective."""
        values = {name: entry.suggest(name, trial) for name, entry in self.space.items()}
        trial.set_user_attr("values", values)

        def watch(epoch: Choice) -> None:
            trial.report(_score(epoch, self.objective), epoch.epochs)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            score = _score(self.train(values, watch), self.objective)
            if not math.isfinite(score):
                raise ArgumentError(
                    f"validation {self.objective}: expected a number, got {score}; the training diverged"
                )
            return score
        except RezslError as error:
            trial.set_user_attr("reason", " ".join(str(error).split()))
            raise

    def run_one(self, seed: int) -> FrozenTrial:
        """Run one trial in a worker process, which shares the study through its storage."""
        with _quiet(), explained_errors(self.storage):
            study = optuna.load_study(storage=open_storage(self.storage), study_name=self.study)
            self.prepare(study, seed, parallel=True)
            finished: list[FrozenTrial] = []
            study.optimize(
                self.score, n_trials=1, callbacks=[lambda _, trial: finished.append(trial)], catch=(RezslError,)
            )
            return finished[0]


def _run_in_processes(
    run: _Trials, study: optuna.Study, seed: int, report: Callable[[FrozenTrial], None], processes: int
) -> None:
    """Run trials until the study has enough, several at a time, and never more than it lacks."""
    lock, begun, running, stopped = threading.Lock(), 0, 0, False
    workers = Workers(processes)

    def run_trials() -> None:
        nonlocal begun, running, stopped
        while True:
            with lock:
                if stopped or _counted(study) + running >= run.trials:
                    return
                number = begun
                begun, running = begun + 1, running + 1
            try:
                trial = workers.run(run.run_one, seed + number)
            except BaseException:
                stopped = True
                raise
            with lock:
                running -= 1
                report(trial)

    try:
        with ThreadPoolExecutor(processes) as pool:
            threads = [pool.submit(run_trials) for _ in range(processes)]
            try:
                for thread in threads:
                    thread.result()
            finally:
                stopped = True
                workers.stop()
    except WorkerError as error:
        raise ArgumentError(
            f"processes: the process of a trial was {error}; the same command goes on with the study"
        ) from error


def _score(choice: Choice, objective: str) -> float:
    return float(getattr(choice, METRICS[objective].choice))


def _agree(study: optuna.Study, record: dict[str, Any], name: str, storage: str) -> None:
    """Keep the record of a new study, and refuse a study that began with another record."""
    # The study's storage returns the record as JSON does, with lists for tuples.
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
    """Count the trials that are over; a trial that Ctrl-C has ended is not one of them."""
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
    """Return each option's share of importance; there are none where too few trials differ."""
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    shares = get_param_importances(study, params=list(space))
    return shares if sum(shares.values()) > 0 else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Switch off Optuna's own lines, because rezsl reports the trials itself."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)

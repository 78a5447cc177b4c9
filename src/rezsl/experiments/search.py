"""A search for settings: trials of the selection stage, drawn by Optuna, in a study that can be continued."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rezsl.errors import ArgumentError, RezslError, RunDirectoryError, check_at_least, needs

with needs("experiments", "searches"):
    import optuna
    from optuna.importance import get_param_importances
    from optuna.storages import BaseStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import FrozenTrial, TrialState

from rezsl.experiments.space import SearchSpace
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


@dataclass(frozen=True)
class SettingsSearch:
    """A search for settings on validation classes.

    Trials that fall behind the median of earlier ones at the same epoch are given up early.

    Attributes:
        train: trains with some settings; where it raises a :class:`RezslError`, the trial has failed. With several
            processes it is pickled.
        space: the options that are varied.
        trials: how many trials the study has at the end, at least 1; an earlier study that has them all is only read.
        storage: a database by its URL, such as ``sqlite:///study.db``, or a local journal file by its path.
        study: name of the study in the storage.
        objective: name of the metric to maximise, one of :data:`rezsl.metrics.OBJECTIVES`.
        record: everything else that decides the outcome; a study is only continued with the record, the space and the
            objective that it began with.
        seed: seed of the draws.
        processes: how many trials run at a time, each in a process; with one, they run in this process.
        ignored: names of the record, at any depth, in which several machines that share a study may differ.
    """

    train: Trainer
    space: SearchSpace
    trials: int
    storage: str
    study: str = "sweep"
    objective: str = "H"
    record: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    processes: int = 1
    ignored: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_at_least(1, trials=self.trials, processes=self.processes)

    def run(self, report: Callable[[str], None] = lambda line: None) -> SearchResult:
        """Try settings until the study has enough trials, those of other processes included.

        ``report`` is called with a line per finished trial.

        Raises:
            RunDirectoryError: the study began otherwise; the message names the difference.
            ArgumentError: a storage that cannot be opened, a process that died, or no trial that ran to its end.
        """
        with _opened(self.storage) as opened:
            study = optuna.create_study(
                storage=opened, study_name=self.study, direction="maximize", load_if_exists=True
            )
            self._agree(study)
            seed = self.seed + len(study.trials)
            if self.processes > 1:
                self._run_in_processes(study, seed, report)
            else:
                self._prepare(study, seed)
                while _counted(study) < self.trials:
                    report(self._run_one(study))
            return self._result(study)

    def _prepare(self, study: optuna.Study, seed: int) -> None:
        study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=min(10, 1 + self.trials // 3), constant_liar=self.processes > 1
        )
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

    def _run_one(self, study: optuna.Study) -> str:
        """Run one trial and return a line about it."""
        lines: list[str] = []
        study.optimize(
            self._score,
            n_trials=1,
            callbacks=[lambda _, trial: lines.append(_line(trial, self.objective))],
            catch=(RezslError,),
        )
        return lines[0]

    def _run_in_worker(self, seed: int) -> str:
        """Run one trial in a worker process, which shares the study through its storage."""
        with _opened(self.storage) as opened:
            study = optuna.load_study(storage=opened, study_name=self.study)
            self._prepare(study, seed)
            return self._run_one(study)

    def _run_in_processes(self, study: optuna.Study, seed: int, report: Callable[[str], None]) -> None:
        """Run trials until the study has enough, several at a time, and never more than it lacks."""
        running: set[Future[str]] = set()
        with closing(Workers(self.processes)) as workers:
            while True:
                while len(running) < self.processes and _counted(study) + len(running) < self.trials:
                    running.add(workers.submit(self._run_in_worker, seed))
                    seed += 1
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        report(workers.result(future))
                    except WorkerError as error:
                        raise ArgumentError(
                            f"processes: the process of a trial was {error}; the same command goes on with the study"
                        ) from error

    def _score(self, trial: optuna.Trial) -> float:
        """Run one trial and return its validation value of the objective."""
        values = {name: entry.suggest(name, trial) for name, entry in self.space.items()}
        trial.set_user_attr("values", values)

        def value(choice: Choice) -> float:
            return float(getattr(choice, METRICS[self.objective].choice))

        def watch(epoch: Choice) -> None:
            trial.report(value(epoch), epoch.epochs)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            score = value(self.train(values, watch))
            if not math.isfinite(score):
                raise ArgumentError(
                    f"validation {self.objective}: expected a number, got {score}; the training diverged"
                )
            return score
        except RezslError as error:
            trial.set_user_attr("reason", " ".join(str(error).split()))
            raise

    def _agree(self, study: optuna.Study) -> None:
        """Keep the record of a new study, and refuse a study that began with another record."""
        shown = {name: str(entry) for name, entry in self.space.items()}
        record = {"space": shown, "objective": self.objective, "config": dict(self.record)}
        # The study's storage returns the record as JSON does, with lists for tuples.
        record = json.loads(json.dumps(record, default=str))
        before = study.user_attrs.get("rezsl")
        if before is None:
            study.set_user_attr("rezsl", record)
        elif changed := differences(before, record, self.ignored):
            more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            raise RunDirectoryError(
                f"study: {study.study_name!r} in {self.storage} was begun with another {changed[0]}{more}; continue it "
                f"as it was, or give --study another name"
            )

    def _result(self, study: optuna.Study) -> SearchResult:
        trials = study.get_trials(deepcopy=False)
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        reasons = [trial.user_attrs["reason"] for trial in trials if "reason" in trial.user_attrs]
        if not complete:
            why = f"; the last one failed: {reasons[-1]}" if reasons else ""
            raise ArgumentError(f"trials: expected at least one that runs to its end, got none{why}")
        # Too few trials, or equal ones, have no differences that options could explain.
        is_known = len(complete) >= 4 and len({trial.value for trial in complete}) > 1
        importance = get_param_importances(study, params=list(self.space)) if is_known else {}
        return SearchResult(
            values=dict(study.best_trial.user_attrs["values"]),
            score=study.best_value,
            objective=self.objective,
            importance=importance if sum(importance.values()) > 0 else {},
            finished=len(complete),
            pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
            failed=len(reasons),
        )


def _counted(study: optuna.Study) -> int:
    """Count the trials that are over; a trial that Ctrl-C has ended is not one of them."""
    over = (TrialState.COMPLETE, TrialState.PRUNED)
    return sum(trial.state in over or "reason" in trial.user_attrs for trial in study.get_trials(deepcopy=False))


def _line(trial: FrozenTrial, objective: str) -> str:
    values = trial.user_attrs.get("values", {})
    settings = ", ".join(
        f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in values.items()
    )
    if trial.state == TrialState.COMPLETE:
        outcome = f"{objective} {100 * (trial.value or 0.0):.1f} %"
    elif trial.state == TrialState.PRUNED:
        outcome = f"given up after epoch {max(trial.intermediate_values, default=0)}"
    else:
        outcome = f"failed: {trial.user_attrs.get('reason', 'interrupted')}"
    return f"trial {trial.number + 1}: {outcome}  ({settings})"


@contextmanager
def _opened(location: str) -> Iterator[BaseStorage]:
    """Open the storage of a study; a failure of a database inside the block becomes an error of one line."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)  # rezsl reports the trials itself
    try:
        if "://" in location:
            yield RDBStorage(location)
        elif Path(location).absolute().parent.is_dir():
            yield JournalStorage(JournalFileBackend(location))
        else:
            raise ArgumentError(f"storage: expected a file in a folder that exists, got {location}; make the folder")
    except Exception as error:
        if "://" in location and not isinstance(error, RezslError):
            _raise_explained(error, location.partition("://")[0])
        raise
    finally:
        optuna.logging.set_verbosity(level)


def _raise_explained(error: Exception, scheme: str) -> None:
    """Raise an error of one line if a database has failed or is not known."""
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError  # noqa: PLC0415 - takes long, for databases only

    # Optuna's own code fails after a lost connection, so the reason can be deep in the chain of exceptions.
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

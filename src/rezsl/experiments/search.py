"""A search for settings: trials of the selection stage, drawn by Optuna, in a study that can be continued."""

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rezsl.errors import ArgumentError, RezslError, RunDirectoryError, check_at_least, needs

with needs("experiments", "searches"):
    import optuna
    from optuna.importance import get_param_importances
    from optuna.trial import FrozenTrial, TrialState

from rezsl.experiments.clusters import Backend, open_pool
from rezsl.experiments.space import SearchSpace
from rezsl.experiments.storage import beginning, opened
from rezsl.experiments.workers import WorkerError
from rezsl.metrics import METRICS
from rezsl.records import differences
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
        processes: how many trials run at a time, each in a process; with one on this machine, they run in this process.
            None is one, and on a cluster as many as it has threads or CPUs.
        ignored: names of the record, at any depth, in which several machines that share a study may differ.
        backend: where the processes are, see :func:`rezsl.experiments.clusters.open_pool`. Every machine of a cluster
            must reach the storage.
        address: that of the cluster's scheduler.
    """

    train: Trainer
    space: SearchSpace
    trials: int
    storage: str
    study: str = "sweep"
    objective: str = "H"
    record: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    processes: int | None = 1
    ignored: Sequence[str] = ()
    backend: Backend = "loky"
    address: str | None = None

    def __post_init__(self) -> None:
        check_at_least(1, trials=self.trials, processes=1 if self.processes is None else self.processes)

    @property
    def _in_this_process(self) -> bool:
        return self.backend == "loky" and self.address is None and self.processes in (None, 1)

    def run(self, report: Callable[[str], None] = lambda line: None) -> SearchResult:
        """Try settings until the study has enough trials, those of other processes included.

        ``report`` is called with a line per finished trial.

        Raises:
            RunDirectoryError: the study began otherwise; the message names the difference.
            ArgumentError: a storage that cannot be opened, a process that died, or no trial that ran to its end.
        """
        with ExitStack() as stack:
            with beginning(self.storage):
                storage = stack.enter_context(opened(self.storage))
                study = optuna.create_study(
                    storage=storage, study_name=self.study, direction="maximize", load_if_exists=True
                )
                self._agree(study)
            seed = self.seed + len(study.trials)
            if self._in_this_process:
                self._prepare(study, seed)
                while _counted(study) < self.trials:
                    report(self._run_one(study))
            else:
                self._run_in_processes(study, seed, report)
            return self._result(study)

    def _prepare(self, study: optuna.Study, seed: int) -> None:
        study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=min(10, 1 + self.trials // 3), constant_liar=not self._in_this_process
        )
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

    def _run_one(self, study: optuna.Study, call: str = "") -> str:
        """Run one trial and return a line about it; the trial keeps the name of the call that runs it."""
        lines: list[str] = []
        study.optimize(
            partial(self._score, call=call),
            n_trials=1,
            callbacks=[lambda _, trial: lines.append(_line(trial, self.objective))],
            catch=(RezslError,),
        )
        return lines[0]

    def _run_in_worker(self, seed: int, call: str) -> str:
        """Run one trial in a worker process, which shares the study through its storage.

        A cluster begins a call again if its worker has died. The trial of the first attempt then counts if it is over,
        and otherwise it is closed, so that no trial stays open for ever.
        """
        with opened(self.storage) as storage:
            study = optuna.load_study(storage=storage, study_name=self.study)
            for trial in study.get_trials(deepcopy=False):
                if trial.user_attrs.get("call") == call:
                    if _is_over(trial):
                        return _line(trial, self.objective)
                    if not trial.state.is_finished():
                        study.tell(trial.number, state=TrialState.FAIL)
            self._prepare(study, seed)
            return self._run_one(study, call)

    def _run_in_processes(self, study: optuna.Study, seed: int, report: Callable[[str], None]) -> None:
        """Run trials until the study has enough, several at a time, and never more than it lacks."""
        running: set[Future[str]] = set()
        with closing(open_pool(self.backend, self.address, self.processes)) as workers:
            while True:
                while len(running) < workers.processes and _counted(study) + len(running) < self.trials:
                    running.add(workers.submit(self._run_in_worker, seed, uuid.uuid4().hex))
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

    def _score(self, trial: optuna.Trial, call: str) -> float:
        """Run one trial and return its validation value of the objective."""
        if call:
            trial.set_user_attr("call", call)
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
            raise ArgumentError(
                f"trials: expected at least one that runs to its end, got none{why}"
                "; correct what failed, and start again"
            )
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
    return sum(map(_is_over, study.get_trials(deepcopy=False)))


def _is_over(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "reason" in trial.user_attrs


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

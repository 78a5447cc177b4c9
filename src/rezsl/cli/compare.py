"""``rezsl compare``: run methods and losses over data sets and seeds, and put the results side by side."""

import json
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli import fit as fit_command
from rezsl.cli import sweep as sweep_command
from rezsl.cli._options import advice_when_interrupted, show
from rezsl.cli._parser import new_parser
from rezsl.cli.main import main
from rezsl.errors import ArgumentError, RezslError, RunDirectoryError, check_at_least
from rezsl.experiments.clusters import Backend, Pool, open_pool
from rezsl.experiments.jobs import Folder, Job, run_jobs
from rezsl.experiments.plan import Plan, read_plan
from rezsl.experiments.results import Comparison, PairedTest, collect
from rezsl.experiments.space import read_space
from rezsl.files import local_path, read_json, read_yaml, reading, write_json
from rezsl.locks import locked
from rezsl.records import differences
from rezsl.report import as_csv, as_latex, as_markdown, comparison_table, runs_csv, save_comparison
from rezsl.sources import is_remote
from rezsl.terminal import Terminal
from rezsl.writing import entries, remove_partials, write_atomically

TABLES = {"table.md": as_markdown, "table.tex": as_latex, "table.csv": as_csv, "runs.csv": runs_csv}

PICTURE = "comparison.png"


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("compare")
    options.add_argument("plan", type=Path, metavar="PLAN.yaml")
    options.add_argument("-o", "--output", type=Path, required=True)
    options.add_argument("--processes", type=int | None, default=None)
    options.add_argument("--backend", type=Backend, default="loky")
    options.add_argument("--address", type=str | None, default=None)
    options.add_argument("--data_root", nargs="+", action="extend", default=[])
    options.add_argument("--test", type=PairedTest, default="t")
    return options


def run(options: ArgumentParser, settings: Namespace) -> int:
    """Run the missing runs, then write and print the tables; return the exit code 1 if a run has failed."""
    check_at_least(1, processes=1 if settings.processes is None else settings.processes)
    plan = read_plan(read_yaml(settings.plan, ArgumentError), str(settings.plan), _roots(settings.data_root))
    check_plan(plan)
    if settings.plan.name in (*TABLES, PICTURE) and settings.plan.parent.resolve() == settings.output.resolve():
        raise ArgumentError(
            f"output: expected another directory than that of {settings.plan}, which a table would replace; rename the "
            f"plan, or choose another directory"
        )
    # The worker processes hold the lock too: after a crash of this process they take a moment to end.
    with locked(settings.output, "output") as lock:
        for folder in (settings.output, *settings.output.glob("configs/**/"), *settings.output.glob("search/**/")):
            remove_partials(folder, everyone=True)
        workers = open_pool(settings.backend, settings.address, settings.processes, lock)
        # A scheduler ends a process by SIGTERM, after which the running jobs must save their work as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        found = compare(Folder(settings.output, plan), workers, settings.test)
    return int(any(row.failures for row in found.rows))


def compare(folder: Folder, workers: Pool, test: PairedTest = "t") -> Comparison:
    """Run what the directory of a plan lacks, end the processes, write the tables, and show them and the progress."""
    plan, output = folder.plan, folder.path
    # The workers share the lock of the directory, which so ends with an error too.
    with advice_when_interrupted("the same command goes on; finished runs are kept"), closing(workers):
        _keep(folder)
        jobs = folder.jobs()
        each = [job for first in jobs for job in (first, *first.then)]
        total, done = len(each), sum(job.is_finished for job in each)
        show(f"{len(plan.cells)} rows, {len(plan.seeds)} seeds, {total} runs and searches, {done} finished before")

        def report(job: Job, reason: str | None) -> None:
            nonlocal done
            done += reason is None
            failed = f"failed: {job.name}: {reason}; see {job.log}"
            show(f"[{done}/{total}] {job.name}" if reason is None else failed)

        failures = run_jobs(jobs, workers, main, report)
    comparison = collect(folder, failures, test)
    for name, text in TABLES.items():
        write_atomically(output / name, text(comparison))
    save_comparison(comparison, output / PICTURE)
    for dataset in comparison.datasets:
        Terminal().print(comparison_table(comparison, dataset))
    show(f"written to {output}: {', '.join((*TABLES, PICTURE))}")
    if failures:
        show(f"{len(failures)} runs or searches failed; the same command tries them again")
    return comparison


def check_plan(plan: Plan) -> None:
    """Check, before anything is run, that the options and search space of each row are options of ``rezsl fit``."""
    options = fit_command.parser()
    for cell in plan.cells:
        text, where = json.dumps(cell.options, ensure_ascii=False), f"plan: {cell.folder}"
        for place in (*sweep_command.PLACES, "seed"):
            if place in cell.options:
                raise ArgumentError(f"{where}: expected no {place}, which a comparison sets itself, got one; remove it")
        try:
            sweep_command.with_values(text, {}, options)
        except RezslError as error:
            raise ArgumentError(f"{where}: {error}") from error
        if cell.space:
            sweep_command.check_space(text, read_space(cell.space, "search"), f"{where}: search")


def _roots(given: list[str]) -> dict[str, str]:
    wrong = [entry for entry in given if not all(entry.partition("="))]
    if wrong:
        raise ArgumentError(f"data_root: expected NAME=PATH, as in awa1=data/AWA1, got {wrong[0]}; write it so")
    # The runs may be read from another working directory.
    roots = {name: local_path(path) for name, _, path in (entry.partition("=") for entry in given)}
    return {name: str(root) if is_remote(root) else os.path.abspath(root) for name, root in roots.items()}


def _keep(folder: Folder) -> None:
    """Write the plan and the options of each row; refuse a directory that holds another comparison."""
    record, kept = json.loads(json.dumps(folder.plan.record, default=str)), folder.path / "plan.json"
    if kept.exists():
        with reading(kept, expected := "the plan of a comparison", RunDirectoryError):
            changed = _changes(read_json(kept, RunDirectoryError, expected), record)
        if changed:
            more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            raise RunDirectoryError(
                f"output: {folder.path} was begun with another plan: {changed[0]}{more}; go on with that one, "
                f"or choose another directory"
            )
    elif folder.path.is_dir() and entries(folder.path):
        raise RunDirectoryError(f"output: {folder.path} holds other files; choose a new directory")
    folder.path.mkdir(parents=True, exist_ok=True)
    write_json(kept, record)
    folder.write_configs()


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the changes that contradict earlier runs: all but new names and seeds, and another baseline."""
    before, after = dict(before), dict(after)
    for part in ("datasets", "methods", "losses"):
        after[part] = {name: entry for name, entry in after[part].items() if name in before[part]}
    count = len(before["seeds"])
    after["seeds"] = after["seeds"][:count]
    for plan in (before, after):
        plan.pop("baseline")
    return differences(before, after)

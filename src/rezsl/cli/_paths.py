"""Runs and photos that a command line names: whether they are there, and what stands in their place."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rezsl.classifier import found_directory
from rezsl.data import find_images, notes_of, walk_images
from rezsl.errors import ArgumentError, DataError, ModelFileError
from rezsl.files import check_file, check_folder
from rezsl.regions import is_region_store

MODEL = "model.json"

INCOMPLETE = 1
"""The exit code where some inputs have an answer and others cannot be read."""


def local_run(run: Path, revision: str | None = None, inputs: Iterable[Path] = ()) -> Path:
    """Return the folder of a run that a command line names, or of a model of the hub in the local cache.

    The other arguments and errors are those of :func:`check_run` and :func:`rezsl.load_model`.
    """
    found = found_directory(run, revision)
    check_run(found, inputs)
    return found


def check_run(run: Path, inputs: Iterable[Path] = ()) -> None:
    """Check, before anything is loaded, that a folder holds a trained model.

    Args:
        run: the folder.
        inputs: the photos that follow it on the command line, one of which may be the run.

    Raises:
        ArgumentError: the run follows the photos.
        ModelFileError: there is no such folder, or it holds something else.
    """
    if (run / MODEL).is_file():
        return
    for later in inputs:
        if (later / MODEL).is_file():
            raise ArgumentError(f"{run}: expected the run before the images; give {later} first, and then {run}")
    check_folder(run, "a trained model", ModelFileError)
    raise ModelFileError(f"{run}: expected a folder with a trained model, got {'; '.join(_described(run))}")


def finished_runs(paths: Sequence[Path]) -> list[Path]:
    """Return the paths that are folders with a trained model, and print a note for each of the others.

    A pattern such as ``runs/*`` matches more than runs: the regions that runs share, and runs that have not finished.

    Raises:
        ModelFileError: none of the paths is a run, or one does not exist.
    """
    runs = [path for path in paths if (path / MODEL).is_file()]
    for path in paths:
        if not runs or not path.exists():
            check_run(path)
        if path not in runs:
            what = _described(path)[0] if path.is_dir() else "a file"
            print(f"note: {path} is left out: it is {what}", file=sys.stderr)
    return runs


def _described(folder: Path) -> tuple[str, str]:
    """Return what a folder without a model is, and what to do about it."""
    inside = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if (folder / "settings.json").is_file():
        return "a run that has not finished", f"go on with rezsl fit --run-dir {folder} --resume"
    if is_region_store(folder) or any(is_region_store(entry) for entry in inside):
        return "a store of regions of images, which runs share", "give a run beside it"
    if runs := [entry for entry in inside if (entry / MODEL).is_file()]:
        return f"a folder of {len(runs)} run{'s' if len(runs) > 1 else ''}", f"give one of them, such as {runs[0]}"
    if (folder / "semantics.csv").is_file():
        return "a folder of images", f"train a model on it with rezsl fit --data folder --data.root {folder}"
    return f"a folder without {MODEL}", "give a folder that holds a finished run"


class Photos(NamedTuple):
    """The photos that a command line names.

    Attributes:
        files: the files among its paths, and all images in the folders among them.
        problems: a sentence for each path without a photo, and for each photo in a folder that cannot be read.
        notes: what else is passed over in the folders, one sentence for each reason.
    """

    files: list[Path]
    problems: list[str]
    notes: list[str]


def image_files(paths: Sequence[Path]) -> Photos:
    """Return the photos that paths lead to.

    Raises:
        ArgumentError: a path is a run.
        DataError: there is no photo at all.
    """
    files, problems, notes = list[Path](), list[str](), list[str]()
    for path in paths:
        if (path / MODEL).is_file():
            raise ArgumentError(f"{path}: expected images, got a run; give one run before the images")
        try:
            check_exists(path)
        except DataError as error:
            problems.append(str(error))
            continue
        if not path.is_dir():
            files.append(path)
            continue
        found = walk_images(path)
        files += found.images
        others = {place: reason for place, reason in found.passed_over.items() if place not in found.photos}
        problems += [f"{photo}: expected an image, got {found.passed_over[photo]}" for photo in found.photos]
        notes += notes_of(others, path)
        if not found.images and not found.photos:
            problems.append(f"{path}: expected a folder with images, found none; choose another folder")
    if not files:
        more = f"; nor has any of {len(problems) - 1} others a photo that can be read" if len(problems) > 1 else ""
        raise DataError(problems[0] + more)
    return Photos(files, problems, notes)


def report_problems(problems: Sequence[str], total: int, what: str = "inputs have no answer") -> int:
    """Print a line for each input that cannot be read, and how many they are, as errors; return the exit code."""
    if not problems:
        return 0
    for problem in problems:
        print(f"rezsl: {problem}", file=sys.stderr)
    print(f"rezsl: error: {len(problems):,} of {total:,} {what}, named above", file=sys.stderr)
    return INCOMPLETE


def check_photo(path: Path) -> None:
    """Check that a path is one file: not a folder of photos."""
    check_exists(path)
    if path.is_dir():
        inside = find_images(path)
        remedy = f"give one of its {len(inside):,} photos, such as {inside[0]}" if inside else "give a photo"
        raise DataError(f"{path}: expected one photo, got a folder; {remedy}")


def check_exists(path: Path) -> None:
    """Check that there is a file or a folder."""
    if not path.exists():
        check_file(path, "a file or a folder", DataError)

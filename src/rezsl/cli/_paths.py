"""Runs and photos that a command line names: whether they are there, and what stands in their place."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rezsl.data import find_images
from rezsl.errors import ArgumentError, DataError, ModelFileError
from rezsl.files import check_file, check_folder
from rezsl.regions import is_region_store

MODEL = "model.json"


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


def image_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files among paths, and all images in the folders among them."""
    files: list[Path] = []
    for path in paths:
        check_exists(path)
        if (path / MODEL).is_file():
            raise ArgumentError(f"{path}: expected images, got a run; give one run before the images")
        found = find_images(path) if path.is_dir() else [path]
        if not found:
            raise DataError(f"{path}: expected a folder with images, found none")
        files += found
    return files


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

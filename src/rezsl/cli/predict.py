"""``rezsl predict``: name the classes of images or feature rows; and the options that it shares with ``explain``."""

import sys
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import Answer, ZeroShotClassifier, load_model, model_of_images
from rezsl.cli._answers import print_csv, print_json, print_table
from rezsl.cli._config import store_of_run
from rezsl.cli._options import show_notes
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import image_files, local_run, report_problems
from rezsl.data import is_feature_file, read_feature_rows
from rezsl.devices import computing_device
from rezsl.errors import DataError, renamed
from rezsl.files import naming
from rezsl.regions import FeatureScaler, is_region_store
from rezsl.semantics import ClassSemantics


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("predict")
    add_model_options(options)
    options.add_argument("inputs", type=Path, nargs="+", metavar="IMAGES")
    options.add_argument("--top", type=int, default=5)
    options.add_argument("--format", type=Literal["table", "csv", "json"], default="table")
    return options


def run(options: ArgumentParser, settings: Namespace) -> int:
    """Print the most probable classes of each input; those that cannot be read are named and counted after the others.

    The result is 0 if all inputs have an answer, and 1 if some have none. None at all is a DataError.
    """
    settings.run = local_run(settings.run, settings.revision, settings.inputs)
    is_features = any(map(is_feature_file, settings.inputs))
    photos = None if is_features else image_files(settings.inputs)
    model, candidates = load_for(settings, images=not is_features)
    answered = list[tuple[str, Answer]]()
    problems = list[str]()
    if photos is None:
        for path in settings.inputs:
            _answer_features(path, model, candidates, settings.top, answered, problems)
    else:
        show_notes(photos.notes)
        answers = model.classify(photos.files, candidates, settings.top, skip_unreadable=True)
        pairs = [*zip(map(str, photos.files), answers, strict=True)]
        answered = [(name, answer) for name, answer in pairs if not answer.problem]
        problems = [*photos.problems, *(answer.problem for answer in answers if answer.problem)]
    if not answered:
        others = len(problems) - 1
        more = f"; {others} more input{' has' if others == 1 else 's have'} no answer" if others else ""
        raise DataError(f"{problems[0]}{more}")
    printers = {"table": print_table, "csv": print_csv, "json": print_json}
    printers[settings.format]([name for name, _ in answered], [answer for _, answer in answered])
    sys.stdout.flush()
    return report_problems(problems, len(answered) + len(problems))


def _answer_features(
    path: Path,
    model: ZeroShotClassifier,
    candidates: ClassSemantics | None,
    top: int,
    answered: list[tuple[str, Answer]],
    problems: list[str],
) -> None:
    """Add the answers of the rows of a file, and a sentence for the file or for each row that has none."""
    try:
        rows = read_feature_rows(path, finite=False)
        whole = rows.isfinite().all(dim=1)
        answers = model.classify(rows[whole], candidates, top, skip_unreadable=True) if bool(whole.any()) else []
    except DataError as error:
        text = str(error)
        problems.append(text if text.startswith(str(path)) else f"{path}: {text}")
        return
    numbers = whole.nonzero().squeeze(1).tolist()
    for number, answer in zip(numbers, answers, strict=True):
        name = f"{path} row {number}"
        if answer.problem:
            problems.append(f"{name}: {answer.problem.partition(': ')[2]}")
        else:
            answered.append((name, answer))
    problems += [
        f"{path} row {number}: expected finite features, got NaN or infinity; write the row again"
        for number in (~whole).nonzero().squeeze(1).tolist()
    ]


def add_model_options(options: ArgumentParser) -> None:
    """Add the options that choose the model, its classes and its backbone."""
    options.add_argument("run", type=Path, metavar="RUN")
    options.add_argument("--revision", type=str | None, default=None)
    options.add_argument("--classes", type=Path | None, default=None)
    options.add_argument("--unseen_only", action="store_true")
    options.add_argument("--gamma", type=float | None, default=None)
    options.add_argument("--store", type=Path | None, default=None)
    options.add_argument("--device", type=str, default="auto")


def load_for(settings: Namespace, images: bool) -> tuple[ZeroShotClassifier, ClassSemantics | None]:
    """Return the model, on its device, and the classes to choose among.

    For images, a model of regions gets a backbone of its store.
    """
    device = computing_device(settings.device)
    model, store = load_model(settings.run), settings.store
    candidates = None
    if settings.classes is not None:
        candidates = ClassSemantics.from_csv(settings.classes, known_classes=model.semantics.classes)
        with naming(settings.classes):
            model.semantics.with_classes_of(candidates)
        # Standard output has the answers only, because programs read them.
        show_notes(candidates.notes)
    if settings.unseen_only:
        with renamed(classes="unseen_only"):
            candidates = model.unseen_among(candidates or model.semantics)
    if settings.gamma is not None:
        model.gamma = settings.gamma
    if images:
        advice = "give a store of that backbone with --store"
        model = model_of_images(model, store) if store is not None else reading_images(model, settings.run, advice)
    return model.to(device), candidates


def reading_images(model: ZeroShotClassifier, run: Path, advice: str) -> ZeroShotClassifier:
    """Return the model of a run; one of regions is preceded by the backbone of the store that the run names.

    Raises:
        DataError: the store was not found; the message ends with ``advice``.
    """
    regions = model.backbone.regions if isinstance(model.backbone, FeatureScaler) else None
    if regions is None:
        return model
    store = store_of_run(run)
    if store is None or not is_region_store(store):
        raise DataError(
            f"{run}: trained on regions of {regions['backbone']['source']}, not on images, and "
            f"{store or 'their store'} was not found; {advice}"
        )
    return model_of_images(model, store)

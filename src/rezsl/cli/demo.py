"""``rezsl demo``: train with three losses on the embedded digits, in under a minute."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import load_model
from rezsl.cli._options import add_resume, advice_when_interrupted, show
from rezsl.cli._parser import new_parser
from rezsl.cli.report import leave_report
from rezsl.data import Benchmark, load_digits
from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Evaluation, evaluate
from rezsl.files import read_json
from rezsl.locks import locked
from rezsl.losses import MSELoss, RegressionLoss, ReMSELoss
from rezsl.report import reported_run, results_table, save_curve, save_error_matrix
from rezsl.terminal import Terminal
from rezsl.training import Augmentation, Training, fit
from rezsl.writing import entries

INK = Augmentation(brightness=0.0, contrast=0.0)
"""Only shifts and turns, because black ink on white paper has no brightness to vary."""

EPOCHS = 10
"""The most epochs of a training; images so few and small are learnt by then."""

LOSSES: dict[str, RegressionLoss | None] = {"cross-entropy": None, "+ MSE": MSELoss(), "+ ReMSE": ReMSELoss()}


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("demo")
    options.add_argument("--run_dir", type=Path, default=Path("runs/demo"))
    options.add_argument("--seed", type=int, default=0)
    add_resume(options)
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Train three models, print their table, and write their plots."""
    directory: Path = settings.run_dir
    folders = {name: directory / name.removeprefix("+ ").lower() for name in LOSSES}
    if settings.resume and not directory.is_dir():
        raise RunDirectoryError(f"run_dir: {directory} does not exist, so there is nothing to resume; check the path")
    with locked(directory, "run_dir"):
        _check(directory, folders, settings.resume)
        _compared(directory, folders, settings.seed)


def _compared(directory: Path, folders: dict[str, Path], seed: int) -> None:
    data = load_digits()
    show(
        f"{len(data.labels)} handwritten digits. No image of {', '.join(data.unseen_classes)} is trained on: they",
        f"are recognised from a table of {len(data.semantics.attributes)} attributes (ink, strokes, loops).\n",
    )
    results = {}
    with advice_when_interrupted("an unfinished demo goes on with the same --run-dir and --resume"):
        for name, loss in LOSSES.items():
            Terminal().print(f"[bold]{name}", highlight=False)
            results[name] = _trained(data, loss, folders[name], seed)
    show()
    Terminal().print(results_table(results, "digits 2, 5, 8 unseen, AttentionNet, in percent"))
    save_curve(results, directory / "curve.png")
    save_error_matrix(results["+ ReMSE"], directory / "error_matrix.png")
    page, model = directory / "report.html", directory / "remse"
    worth_opening = {
        page: "everything on one page: the answer in words, plots, images",
        directory / "curve.png": "seen-unseen curves of the three",
        directory / "error_matrix.png": "which attributes of which digits are predicted badly",
        model / "metrics.json": "all metrics",
        model: f"a model: rezsl predict {model} IMAGES…",
    }
    if not leave_report(
        lambda: {
            name: reported_run(load_model(folder), data, folder, results[name]) for name, folder in folders.items()
        },
        page,
    ):
        del worth_opening[page]
    width = max(len(str(path)) for path in worth_opening)
    show(
        "\nOne split and one seed: differences of a few points mean nothing here.\n\nWorth opening:",
        *(f"  {path!s:<{width}}  {what}" for path, what in worth_opening.items()),
    )


def _check(directory: Path, folders: dict[str, Path], resuming: bool) -> None:
    begun = any(folder.is_dir() for folder in folders.values())
    if not begun and entries(directory):
        raise RunDirectoryError(f"run_dir: {directory} holds other files; choose another directory")
    if begun and not resuming:
        raise RunDirectoryError(
            f"run_dir: {directory} holds an earlier demo; add --resume to finish it or to see its table again, "
            f"or choose another directory (--run-dir DIRECTORY, or make demo RUN_DIR=DIRECTORY)"
        )


def _trained(data: Benchmark, loss: RegressionLoss | None, folder: Path, seed: int) -> Evaluation:
    """Return the evaluation of one loss: of the finished run in the folder, or of one that is trained or resumed."""
    if (folder / "metrics.json").exists():
        # Unfinished runs are checked by fit; a finished one must not be shown in a table of another seed.
        before = read_json(folder / "settings.json", RunDirectoryError, "the settings of a run").get("seed")
        if before != seed:
            raise RunDirectoryError(
                f"run_dir: {folder} was trained with another seed; add --seed {before}, or choose another directory"
            )
        return evaluate(load_model(folder), data)
    training = Training(loss=loss, augmentation=INK, max_epochs=EPOCHS, seed=seed)
    result = fit(data, training=training, run_dir=folder, resume=folder.is_dir())
    assert result.test is not None
    return result.test

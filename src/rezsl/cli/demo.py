"""``rezsl demo``: the main job on the embedded digits, in under a minute."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from rezsl.cli.options import new_parser
from rezsl.data import load_digits
from rezsl.losses import MSELoss, ReMSELoss
from rezsl.report import results_table, save_curve, save_error_matrix
from rezsl.training import Augmentation, fit

INK = Augmentation(brightness=0.0, contrast=0.0)
"""Shifts and turns only: black ink on white paper has no brightness to vary."""

SUMMARY = "train on the embedded handwritten digits, with three losses side by side"


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("demo", SUMMARY)
    options.add_argument("--run_dir", type=Path, default=Path("runs/demo"), help="where to write models and figures")
    options.add_argument("--seed", type=int, default=0, help="of weights, batches and held-out samples")
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Train three models, print their table, write their figures."""
    console = Console()
    data = load_digits()
    directory: Path = settings.run_dir
    console.print(
        f"{len(data.labels)} handwritten digits. No image of {', '.join(data.unseen_classes)} is trained on: they\n"
        f"are recognised from a table of {len(data.semantics.attributes)} semantics (ink, strokes, loops).\n",
        highlight=False,
    )
    losses = {"cross-entropy": None, "+ MSE": MSELoss(), "+ ReMSE": ReMSELoss()}
    results = {}
    for name, loss in losses.items():
        console.print(f"[bold]{name}", highlight=False)
        folder = directory / name.removeprefix("+ ").lower()
        result = fit(data, loss=loss, augmentation=INK, seed=settings.seed, run_dir=folder)
        assert result.test is not None
        results[name] = result.test
    console.print()
    console.print(results_table(results, "digits 2, 5, 8 unseen, AttentionNet, in percent"))
    save_curve(results, directory / "curve.png")
    save_error_matrix(results["+ ReMSE"], directory / "error_matrix.png")
    console.print(
        f"\nOne split and one seed: differences of a few points mean nothing here.\n\nWorth opening:\n"
        f"  {directory / 'curve.png'}         seen-unseen curves of the three\n"
        f"  {directory / 'error_matrix.png'}  which semantics of which digits are predicted badly\n"
        f"  {directory / 'remse' / 'metrics.json'}   all figures\n"
        f"  {directory / 'remse'}               a model: rezsl predict {directory / 'remse'} IMAGES…",
        highlight=False,
        soft_wrap=True,
    )

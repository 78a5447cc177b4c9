"""Options that are given and change nothing: ``rezsl fit`` names them, and nothing else."""

from functools import cache
from pathlib import Path

import pytest

from rezsl.cli import fit
from rezsl.cli._options import parse
from rezsl.cli._without_effect import without_effect
from rezsl.cli.main import main
from rezsl.data import load_digits, load_synthetic

EPISODES = "has no effect with episodes of 16 classes × 2 images; --batches.ways 0 draws batches of that size instead"
SHUFFLED = "has no effect with --batches.ways 0, which draws no episodes"
FEATURES = "has no effect on features and stored regions, which need no backbone"
FROZEN = "has no effect on regions of a frozen backbone; --backbone.trainable-stages 1 lets its last stage learn"

parser = cache(fit.parser)


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        ("", []),
        ("--batches.size 32 --optimization.momentum 0.9 --loss ReMSELoss --loss.decay 0.9", []),
        ("--batches.size 64", [f"--batches.size 64 {EPISODES}"]),
        ("--batches.size 64 --batches.ways 0", []),
        (
            "--batches.ways 0 --batches.shots 4 --batches.balanced false --batches.per-epoch 3",
            [f"--batches.{given} {SHUFFLED}" for given in ("shots 4", "balanced false", "per-epoch 3")],
        ),
        (
            "--optimization.momentum 0.8",
            ["--optimization.momentum 0.8 has no effect with --optimization.optimizer adamw, only with sgd"],
        ),
        ("--optimization.momentum 0.8 --optimization.optimizer sgd", []),
        (
            "--optimization.step-epochs 3",
            ["--optimization.step-epochs 3 has no effect with --optimization.schedule one-cycle, only with step"],
        ),
        ("--optimization.step-factor 0.3 --optimization.schedule step", []),
        ("--loss.decay 0.5", ["--loss.decay 0.5 has no effect with --loss.memory batch, only with ema"]),
        ("--loss.decay 0.5 --loss.memory ema", []),
        ("--loss.weights-from error --loss.error absolute", []),
        ("--loss null --loss-weight 2", ["--loss-weight 2.0 has no effect with --loss null"]),
        ("--protocol oracle --folds 3", ["--folds 3 has no effect with --protocol oracle, which has no folds"]),
        (
            "--model eszsl --loss MSELoss --batches.size 64 --patience 3",
            [
                "--batches.size 64 has no effect with --model eszsl, which is solved for",
                "--loss MSELoss has no effect with --model eszsl, which is solved for",
                "--patience 3 has no effect with --model eszsl, which is solved for without epochs",
            ],
        ),
        (
            "--model clswgan --classification null --max-epochs 3",
            ["--classification null has no effect with --model clswgan, which is trained in a way of its own"],
        ),
    ],
)
def test_the_options_without_effect_are_named(options: str, notes: list[str]) -> None:
    assert without_effect(parse(parser(), ["--data", "digits", *options.split()])) == notes


def test_what_an_option_needs_of_the_data() -> None:
    options = ["--backbone", "pretrained", "--optimization.frozen-epochs", "1", "--augmentation.rotation", "3"]
    settings = parse(parser(), ["--data", "digits", *options])
    given = ("--optimization.frozen-epochs 1", "--augmentation.rotation 3.0", "--backbone pretrained")
    assert without_effect(settings, load_synthetic()) == [f"{option} {FEATURES}" for option in given]
    assert without_effect(settings, load_digits()) == [f"{option} {FROZEN}" for option in given[:2]]
    learning = parse(parser(), ["--data", "digits", *options, "--backbone.trainable-stages", "1"])
    assert without_effect(learning, load_digits()) == []


@pytest.mark.parametrize("config", sorted(Path("configs").glob("*-*.yaml")), ids=str)
def test_the_configurations_of_the_paper_have_no_such_option(config: Path) -> None:
    assert without_effect(parse(parser(), ["--config", str(config), "--data.root=x"])) == []


def test_fit_prints_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--max-epochs=1", "--batches.per-epoch=1", "--batches.size=64", "--accelerator=cpu", "--report=false"]
    assert main(["fit", "--data", "synthetic", *short, "--run-dir", str(tmp_path / "run")]) == 0
    assert f"note: --batches.size 64 {EPISODES}" in capsys.readouterr().err

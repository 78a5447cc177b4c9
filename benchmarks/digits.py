"""``python -m benchmarks.digits``: the demo's recipe over many choices of unseen digits, so that none can be picked.

Every triple of digits (120, or the first N of a fixed shuffle) is the unseen one once; two of the seven others, drawn
by the triple's number, validate. Figures are test figures at the selected epoch and γ.
"""

import argparse
import itertools
import multiprocessing
import random
import statistics
from dataclasses import replace
from functools import partial

import torch

import rezsl
from rezsl.cli.demo import EPOCHS, INK
from rezsl.losses import MSELoss, ReMSELoss
from rezsl.models import LinearRegressor

LOSSES = {"none": None, "mse": MSELoss(), "remse": ReMSELoss(), "remse-unit-mean": ReMSELoss(unit_mean=True)}
COLUMNS = ("T1", "U", "S", "H", "AUSUC", "H_oracle", "T1_validation", "H_validation", "error_mean", "error_spread")


def one(triple: tuple[int, tuple[int, int, int]], loss: str, loss_weight: float, linear: bool) -> dict[str, float]:
    """The figures with one triple unseen."""
    torch.set_num_threads(1)
    number, unseen = triple
    rest = [digit for digit in range(10) if digit not in unseen]
    validation = random.Random(number).sample(rest, 2)
    data, model = rezsl.load_digits(unseen, validation), None
    if linear:
        assert isinstance(data.inputs, torch.Tensor)
        data, model = replace(data, inputs=data.inputs.flatten(1) / 255), LinearRegressor
    training = rezsl.Training(
        loss=LOSSES[loss], loss_weight=loss_weight, augmentation=INK, max_epochs=EPOCHS, seed=number
    )
    result = rezsl.fit(data, model, training=training, progress=False)
    assert result.test is not None
    validation_figures = {"T1_validation": result.choice.t1, "H_validation": result.choice.harmonic_mean}
    return result.test.metrics() | validation_figures


def main() -> None:
    """Run the triples in parallel processes and print mean ± standard deviation over them."""
    parser = argparse.ArgumentParser(description="mean over many triples of unseen digits")
    parser.add_argument("--triples", type=int, default=24)
    parser.add_argument("--loss", choices=LOSSES, default="remse")
    parser.add_argument("--loss-weight", type=float, default=1.0)
    parser.add_argument("--linear", action="store_true", help="a linear regressor of the pixels")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    triples = list(itertools.combinations(range(10), 3))
    random.Random(0).shuffle(triples)
    work = list(enumerate(triples[: options.triples]))
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        figures = pool.map(
            partial(one, loss=options.loss, loss_weight=options.loss_weight, linear=options.linear), work, chunksize=1
        )
    model = ", linear" if options.linear else ""
    print(f"{len(figures)} triples, loss {options.loss}, λ = {options.loss_weight:g}{model}")
    for column in COLUMNS:
        values = [100 * row[column] if not column.startswith("error") else 1000 * row[column] for row in figures]
        print(f"{column:<14} {statistics.mean(values):5.1f} ± {statistics.stdev(values):.1f}")


if __name__ == "__main__":
    main()

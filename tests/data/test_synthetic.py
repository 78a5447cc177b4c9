import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rezsl.cli._options import instantiate
from rezsl.cli.fit import parser
from rezsl.data import Benchmark, load_synthetic, read_split_file
from rezsl.data.synthetic import noise_scale
from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics


def features_of(benchmark: Benchmark) -> torch.Tensor:
    assert isinstance(benchmark.inputs, torch.Tensor)
    return benchmark.inputs.double()


def latent(benchmark: Benchmark, clean: Benchmark) -> torch.Tensor:
    """The noise n before it was mixed, ``[N, S]``: what lies between two benchmarks whose mixing W the clean one tells."""
    table, labels = clean.semantics.values.double(), clean.labels
    first = torch.searchsorted(labels, torch.arange(len(table)))
    mixing = torch.linalg.lstsq(table, features_of(clean)[first]).solution
    torch.testing.assert_close(table[labels] @ mixing, features_of(clean), atol=1e-5, rtol=0)
    noise: torch.Tensor = torch.linalg.lstsq(mixing.T, (features_of(benchmark) - features_of(clean)).T).solution.T
    return noise


def test_sizes_and_parts_are_as_asked() -> None:
    made = load_synthetic(classes=7, attributes=3, samples=95, dim=5, unseen=2, validation=1, test_seen_share=0.25)
    assert features_of(made).shape == (95, 5)
    assert made.labels.bincount().tolist() == [14, 14, 14, 14, 13, 13, 13]
    assert (len(made.seen_classes), len(made.unseen_classes), len(made.class_names(made.split.val))) == (5, 2, 1)
    for name in made.seen_classes:
        (row,) = made.semantics.index([name])
        held_out = int((made.labels[made.split.test_seen] == row).sum())
        assert held_out == round(0.25 * int((made.labels == row).sum()))
    assert len(made.split.train) + len(made.split.val) == len(made.split.trainval)
    assert sum(map(len, (made.split.trainval, made.split.test_seen, made.split.test_unseen))) == 95


def test_classes_of_given_sizes_keep_a_sample_to_train_on() -> None:
    sizes = [1, 2, 30, 1]
    made = load_synthetic(classes=4, attributes=3, samples=sizes, dim=4, unseen=1, validation=0, test_seen_share=0.9)
    assert made.labels.bincount().tolist() == sizes
    assert len(made.seen_classes) == 3
    assert not len(made.split.train)


def test_a_seed_gives_the_same_benchmark_and_touches_no_other_random_numbers() -> None:
    state = torch.get_rng_state()
    first, again, other = (load_synthetic(samples=300, dim=16, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(features_of(first), features_of(again))
    assert torch.equal(first.semantics.values, again.semantics.values)
    assert first.unseen_classes == again.unseen_classes != other.unseen_classes
    assert not torch.equal(first.semantics.values, other.semantics.values)


def test_without_noise_features_are_a_linear_map_of_the_semantics() -> None:
    table = ClassSemantics(tuple("abcd"), ("x", "y"), torch.tensor([[1.0, 0], [300, 2], [2, 0], [50, 1]]))
    made = load_synthetic(table, samples=8, dim=4000, unseen=1, validation=0, noise=0.0, feature_noise=0.0)
    assert made.semantics is table
    x = features_of(made)
    solution = torch.linalg.lstsq(table.values.double()[made.labels], x)
    torch.testing.assert_close(table.values.double()[made.labels] @ solution.solution, x, atol=1e-4, rtol=1e-4)
    # Whatever the unit of the table: features lie one standard deviation apart.
    assert float(x.var(dim=0, correction=0).mean()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("dependence", [0.0, 1.5, -1.0])
def test_the_noise_of_a_semantic_depends_on_its_value_as_promised(dependence: float) -> None:
    """Measured on the features, against the formula in a loop."""
    options: dict[str, Any] = {"classes": 8, "attributes": 5, "samples": 16000, "dim": 6, "feature_noise": 0.0}
    options |= {"unseen": 2, "validation": 1, "skew": 2.0}
    clean = load_synthetic(noise=0.0, **options)
    noisy = load_synthetic(noise=0.7, noise_dependence=dependence, **options)
    assert torch.equal(clean.split.trainval, noisy.split.trainval)
    noise, table = latent(noisy, clean), clean.semantics.values.double()
    measured = torch.stack([noise[clean.labels == row].std(dim=0) for row in range(8)])
    for s in range(5):
        values = table[:, s].tolist()
        low, high = min(values), max(values)
        growth = [math.exp(dependence * (value - low) / (high - low)) for value in values]
        root = math.sqrt(sum(g * g for g in growth) / 8)
        expected = [0.7 * float(np.std(values)) * g / root for g in growth]
        np.testing.assert_allclose(measured[:, s], expected, rtol=0.08)  # 2,000 draws: ± 1.6 % each
        assert expected[values.index(high)] / expected[values.index(low)] == pytest.approx(math.exp(dependence))


def test_only_the_noise_changes_with_its_options() -> None:
    """The same draws, stretched: at dependence 0 every sample's noise is the same multiple of what it is otherwise."""
    options: dict[str, Any] = {"classes": 8, "attributes": 5, "samples": 80, "dim": 6, "feature_noise": 0.0}
    options |= {"unseen": 2, "validation": 1}
    clean, plain, uneven = (
        load_synthetic(noise=noise, noise_dependence=dependence, **options)
        for noise, dependence in ((0.0, 0.0), (1.0, 0.0), (1.0, 2.0))
    )
    scale = noise_scale(clean.semantics.values, 2.0) / noise_scale(clean.semantics.values, 0.0)
    stretched = latent(plain, clean) * scale[clean.labels].double()
    torch.testing.assert_close(latent(uneven, clean), stretched, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("dependence", [1e5, -1e5, 1e300])
def test_any_dependence_is_finite_and_leaves_a_constant_semantic_without_noise(dependence: float) -> None:
    scale = noise_scale(torch.tensor([[0.1, 7.0], [0.2, 7.0], [0.9, 7.0], [0.4, 7.0]]), dependence)
    assert bool(scale.isfinite().all())
    assert not scale[:, 1].any()
    torch.testing.assert_close(
        scale.square().mean(dim=0).sqrt()[0], torch.tensor([0.1, 0.2, 0.9, 0.4]).std(correction=0)
    )


def test_a_table_can_be_a_file(tmp_path: Path) -> None:
    table = ClassSemantics(tuple("abc"), ("x", "y"), torch.tensor([[1.0, 0], [3, 2], [2, 0.5]]))
    with (tmp_path / "table.csv").open("w", newline="") as stream:
        rows = [[name, *row] for name, row in zip("abc", table.values.tolist(), strict=True)]
        csv.writer(stream).writerows([["class", "x", "y"], *rows])
    options: dict[str, Any] = {"samples": 9, "dim": 3, "unseen": 1, "validation": 0}
    from_file, from_table = (load_synthetic(source, **options) for source in (tmp_path / "table.csv", table))
    assert torch.equal(features_of(from_file), features_of(from_table))
    with pytest.raises(DataError, match=r"no such table\.csv: no such file; check"):
        load_synthetic(tmp_path / "no such table.csv", **options)


def test_a_random_table_looks_like_real_attributes(real_data: Path) -> None:
    real = read_split_file(real_data / "xlsa17-splits" / "AWA2" / "att_splits.mat").semantics.values
    drawn = load_synthetic(classes=500, samples=500, dim=1).semantics.values
    moments = []
    for values in (real / real.max(), drawn):
        centred = values - values.mean()
        moments.append([float(values.mean()), float(values.std()), float(centred.pow(3).mean() / values.std() ** 3)])
    assert moments[1] == pytest.approx(moments[0], abs=0.35)
    assert moments[1][:2] == pytest.approx(moments[0][:2], abs=0.04)
    assert float(drawn.min()) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "classes, attributes: expected at least 2 classes and 1 attribute, got 1 and 85"),
        ({"skew": 0.0}, "skew: expected a positive number, got 0.0"),
        ({"samples": 49}, "samples: expected at least one of each of the 50 classes, got 0"),
        ({"samples": [3, 4]}, "samples: expected a number for each of the 50 classes, got 2"),
        ({"dim": 0}, "dim: expected at least 1, got 0"),
        ({"unseen": 0}, "unseen and validation: expected at least 1 and 0, and fewer than the 50 classes together"),
        ({"unseen": 40, "validation": 10}, "fewer than the 50 classes together, got 40 and 10"),
        ({"noise": -1.0}, "noise: expected a finite number of at least 0, got -1.0"),
        ({"feature_noise": math.inf}, "feature_noise: expected a finite number of at least 0, got inf"),
        ({"noise_dependence": math.nan}, "noise_dependence: expected a finite number, got nan"),
        ({"test_seen_share": 1.0}, r"test_seen_share: expected a number in \[0, 1\), got 1.0"),
    ],
)
def test_what_cannot_be_made_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        load_synthetic(**options)


def test_a_table_brings_its_own_size(semantics: ClassSemantics) -> None:
    with pytest.raises(ArgumentError, match="classes: expected none beside a table of semantics, got 6; leave it out"):
        load_synthetic(semantics, classes=6)


def test_the_command_line_knows_it(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("class,x,y\na,1,0\nb,0,2\nc,3,1\n")
    options = parser()
    arguments = ["--data=synthetic", f"--data.semantics={table}", "--data.samples=[2,3,4]", "--data.unseen=1"]
    settings = options.parse_args([*arguments, "--data.validation=0", "--data.dim=3", "--data.noise-dependence=2"])
    made = instantiate(options, settings).data
    assert repr(made) == "Benchmark('synthetic', 9 features, 2 seen and 1 unseen classes, 2 attributes)"
    expected = load_synthetic(table, samples=[2, 3, 4], unseen=1, validation=0, dim=3, noise_dependence=2.0)
    assert torch.equal(features_of(made), features_of(expected))

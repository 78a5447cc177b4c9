"""ESZSL and SAE against what their formulas literally say, on 20,000 features of 2,048 dimensions."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.timing import Comparison, side_by_side
from rezsl.data import load_synthetic
from rezsl.functional import l2_normalize
from rezsl.models import ESZSL, SAE
from rezsl.semantics import ClassSemantics

Method = type[ESZSL] | type[SAE]

SAMPLES, DIM, SEMANTICS, CLASSES, ROWS = 20_000, 2_048, 85, 40, 4_096


def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features, labels and class semantics; the sizes of AwA."""
    data = load_synthetic(classes=CLASSES, attributes=SEMANTICS, samples=SAMPLES, dim=DIM, unseen=1, validation=0)
    assert isinstance(data.inputs, torch.Tensor)
    return data.inputs, data.labels, data.semantics.values


def solved(kind: Method, features: torch.Tensor, labels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The weights."""
    names = [tuple(map(str, range(size))) for size in classes.shape]
    model = kind(DIM, ClassSemantics(names[0], names[1], classes))
    model.solve(zip(features.split(ROWS), labels.split(ROWS), strict=True), classes)
    weights: torch.Tensor = model.state_dict()["readout.weight"]
    return weights


def literal_eszsl(features: torch.Tensor, labels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The paper's equation in float64, with inverses."""
    x, rows = features.double(), l2_normalize(classes.double())
    wanted = 2 * torch.eye(CLASSES, dtype=torch.float64)[labels] - 1
    of_features, of_semantics = x.T @ x, rows.T @ rows
    of_features += 0.3 * of_features.diagonal().mean() * torch.eye(DIM)
    of_semantics += of_semantics.diagonal().mean() * torch.eye(SEMANTICS)
    weights: torch.Tensor = (of_features.inverse() @ (x.T @ (wanted @ rows)) @ of_semantics.inverse()).T
    return weights


def literal_sae(features: torch.Tensor, labels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The paper's Sylvester equation in float64, by the eigenvectors of both sides."""
    x, samples = features.double(), l2_normalize(classes.double())[labels]
    left, right = samples.T @ samples, x.T @ x
    penalty = float(10 * left.diagonal().mean() / right.diagonal().mean())
    wanted = (1 + penalty) * samples.T @ x
    (rows, of_rows), (columns, of_columns) = torch.linalg.eigh(left), torch.linalg.eigh(penalty * right)
    weights: torch.Tensor = of_rows @ ((of_rows.T @ wanted @ of_columns) / (rows[:, None] + columns)) @ of_columns.T
    return weights


def measure() -> Iterator[Comparison]:
    """Everything from features to weights."""
    data = problem()
    for kind, literal in ((ESZSL, literal_eszsl), (SAE, literal_sae)):
        expected, got = literal(*data), solved(kind, *data)
        difference = f"{float((got - expected).abs().max() / expected.abs().max()):.1e} relative"
        times = side_by_side(lambda f=literal: f(*data), lambda k=kind: solved(k, *data), rounds=1)  # type: ignore[misc]
        what = f"{kind.__name__}, {SAMPLES:,} × {DIM:,}, {SEMANTICS} semantics"
        yield Comparison(f"{what}; memory {peak(kind):.1f} × XᵀX", *times, difference)


def peak(kind: Method) -> float:
    """Most memory beyond the features, as multiples of XᵀX in float64; in a process of its own."""
    command = f"from benchmarks.closed_forms import report_peak; report_peak({kind.__name__!r})"
    output = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout
    return float(output)


def report_peak(name: str) -> None:
    """Print by how much this process grew at the most while it solved, as multiples of XᵀX."""
    kinds: dict[str, Method] = {"ESZSL": ESZSL, "SAE": SAE}
    data = problem()
    before = memory("VmRSS")
    solved(kinds[name], *data)
    print((memory("VmHWM") - before) / (8 * DIM**2))


def memory(name: str) -> int:
    """A figure of this process in bytes, as Linux counts it: unlike getrusage's, not inherited from its parent."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return 1024 * int(line.split()[1])

"""How time and memory of each command grow with the number of classes, and those of the evaluation with the samples.

Each size is measured in a process of its own. Times are those of the processor, which other programs on the machine
disturb less than the clock; the memory is the most that the process takes beyond what it had before the stage.

``python -m benchmarks.scale SAMPLES CLASSES ATTRIBUTES`` measures one evaluation of another size.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from rezsl import Benchmark, ClassSemantics, Split, Training, ZeroShotClassifier, evaluate, fit
from rezsl.data import load_synthetic
from rezsl.evaluation import analyse_evaluation
from rezsl.models import MLPRegressor
from rezsl.regions import FeatureScaler
from rezsl.report import ReportedRun, save_report
from rezsl.training import Batches

CLASSES, ATTRIBUTES, DIM, HIDDEN = (50, 500, 2_000, 20_000), 1_024, 64, 128
SAMPLES = (100_000, 1_000_000)
Result = TypeVar("Result")


class Stage(NamedTuple):
    """What one stage costs at one size: seconds of the processor, and MiB beyond those before it."""

    name: str
    size: int
    seconds: float
    memory: float


def main(sizes: tuple[int, ...] = CLASSES, samples: tuple[int, ...] = SAMPLES) -> None:
    """Measure all sizes, smallest first, and print the curves as Markdown and as JSON."""
    by_classes = [stage for size in sizes for stage in _apart("by_classes", size)]
    by_samples = [stage for size in samples for stage in _apart("by_samples", size)]
    print(table(by_classes, f"classes of {ATTRIBUTES:,} attributes"))
    print(table(by_samples, "samples of 500 classes of 64 attributes"))
    curves = {"classes": by_classes, "samples": by_samples}
    print(json.dumps({name: [stage._asdict() for stage in stages] for name, stages in curves.items()}))


def table(stages: list[Stage], what: str) -> str:
    """Return a table of Markdown with the seconds and the memory of each stage, and the exponents of the last step."""
    sizes = sorted({stage.size for stage in stages})
    names = dict.fromkeys(stage.name for stage in stages)
    heading = " | ".join(f"{size:,}" for size in sizes)
    lines = [f"| {what} | {heading} | exponent |", "|---" * (len(sizes) + 2) + "|"]
    for name in names:
        found = {stage.size: stage for stage in stages if stage.name == name}
        cells = [f"{found[size].seconds:,.1f} s, {found[size].memory:,.0f} MiB" for size in sizes]
        grown = exponent(found[sizes[-2]], found[sizes[-1]]) if len(sizes) > 1 else math.nan
        lines.append(f"| {name} | {' | '.join(cells)} | {grown:.2f} |")
    return "\n".join([*lines, ""])


def exponent(smaller: Stage, larger: Stage) -> float:
    """Return the power of the size with which the time grows between two sizes."""
    return math.log(max(larger.seconds, 1e-3) / max(smaller.seconds, 1e-3)) / math.log(larger.size / smaller.size)


def _apart(function: str, size: int) -> list[Stage]:
    command = f"from benchmarks import scale; scale.{function}({size})"
    output = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout
    return [Stage(*json.loads(line)) for line in output.splitlines()]


def measured(name: str, size: int, call: Callable[[], Result]) -> Result:
    """Print what a call costs, and return its result."""
    # Linux counts the highest memory anew after this number is written.
    Path("/proc/self/clear_refs").write_text("5")
    before, started = memory("RssAnon"), time.process_time()
    result = call()
    seconds = time.process_time() - started
    grown = max(0.0, memory("VmHWM") - memory("RssFile") - before)
    print(json.dumps(Stage(name, size, round(seconds, 2), round(grown, 1))))
    return result


def memory(name: str) -> float:
    """A figure of this process in MiB, as Linux counts it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


def by_classes(size: int) -> None:
    """Measure every stage with a number of classes, of 20,000 samples or two for each class."""
    torch.set_num_threads(1)
    make = partial(load_synthetic, attributes=ATTRIBUTES, samples=max(20_000, 2 * size), dim=DIM)
    unseen, validation = max(2, size // 5), max(2, size // 10)
    data = measured("benchmark", size, lambda: make(classes=size, unseen=unseen, validation=validation))
    training = Training(max_epochs=1, augmentation=None, accelerator="cpu", batches=Batches(per_epoch=50))
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        start = partial(fit, data, partial(MLPRegressor, hidden_dim=HIDDEN), training=training, progress=False)
        fitted = measured("fit, 2 × 50 steps, with test", size, lambda: start(run_dir=run))
        evaluation = measured("evaluate", size, lambda: evaluate(fitted.model, data))
        measured("metrics.json", size, lambda: json.dumps(evaluation.to_dict()))
        analysis = measured("analyse", size, lambda: analyse_evaluation(evaluation))
        assert isinstance(data.inputs, Tensor)
        features = data.inputs[:1000]
        measured("predict 1,000 features", size, lambda: fitted.model.classify(features, top=5))
        measured("page", size, lambda: save_report({"run": ReportedRun(analysis)}, Path(folder) / "page.html"))


def by_samples(size: int, classes: int = 500, attributes: int = 64) -> None:
    """Measure the evaluation of a number of samples, whose features are a file that is mapped into memory."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = _mapped(Path(folder) / "features.npy", size, classes, attributes)
        assert isinstance(data.inputs, Tensor)
        scaler = FeatureScaler.from_features(data.inputs, data.split.trainval)
        network = MLPRegressor(DIM, data.semantics, hidden_dim=HIDDEN)
        model = ZeroShotClassifier(scaler, network, data.semantics, data.seen_classes).eval()
        evaluation = measured("evaluate", size, lambda: evaluate(model, data))
        measured("metrics.json", size, lambda: json.dumps(evaluation.to_dict()))


def _mapped(path: Path, size: int, classes: int, attributes: int) -> Benchmark:
    generator = torch.Generator().manual_seed(0)
    features: Any = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, DIM))
    for start in range(0, size, 10_000):
        features[start : start + 10_000] = torch.randn(min(10_000, size - start), DIM, generator=generator).numpy()
    labels = torch.arange(size) % classes
    names = [tuple(map(str, range(count))) for count in (classes, attributes)]
    table = ClassSemantics(names[0], names[1], torch.rand(classes, attributes, generator=generator))
    unseen, first = labels >= classes * 4 // 5, torch.arange(size) < 10 * classes
    split = Split.from_masks(unseen, ~first, torch.zeros_like(unseen))
    return Benchmark("mapped", torch.from_numpy(features), labels, table, split)


if __name__ == "__main__":
    by_samples(*map(int, sys.argv[1:]))

"""Two and three processes that train one model do what one process does."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import rezsl
from rezsl.data import Benchmark, ShuffledBatches, load_synthetic
from rezsl.errors import ArgumentError
from rezsl.evaluation import evaluate_together
from rezsl.losses import (
    BMCLoss,
    GAILoss,
    InverseFrequencyLoss,
    LDSLoss,
    MSELoss,
    RegressionLoss,
    ReMSELoss,
    RRTLoss,
)
from rezsl.models import MODELS, LinearRegressor, MLPRegressor
from rezsl.processes import average_gradients, copy_from_first
from rezsl.training import Batches, Callback, Optimization, Training
from rezsl.training._assembly import ModelBuilder, new_classifier
from rezsl.training._step import TrainingStep, seed_step
from tests.processes import found_by
from tests.training.interruptions import CtrlC

pytestmark = pytest.mark.slow

STEPS = 20
LINEAR = partial(MLPRegressor, hidden_dim=8, dropout=0.0)
CASES: dict[str, tuple[Callable[[], RegressionLoss | None], ModelBuilder]] = {
    "batch": (ReMSELoss, LINEAR),
    "running": (partial(ReMSELoss, memory="running", semantic_power=0.5), LINEAR),
    "ema": (partial(ReMSELoss, memory="ema", unit_mean=True), LINEAR),
    "unit_mean": (partial(ReMSELoss, 2.0, 1.0, unit_mean=True, normalize=False), LINEAR),
    "root": (partial(ReMSELoss, error="root"), LINEAR),
    "LDS": (LDSLoss, LINEAR),
    "BMC": (BMCLoss, LINEAR),
    "GAI": (partial(GAILoss, components=2), LINEAR),
    "RRT": (partial(RRTLoss, MSELoss(), InverseFrequencyLoss()), LINEAR),
    # Its scores have parameters of their own, and its penalty is that of the model.
    "SYNC": (lambda: None, partial(MODELS["sync"], penalty=0.1)),
    # Its statistics of features are those of whole batches, and calibrate the features from the second epoch on.
    "FDS": (MSELoss, partial(MODELS["smoothed"], hidden_dim=8, dropout=0.0, bins=4)),
}


def benchmark() -> Benchmark:
    return load_synthetic(None, 12, 5, samples=12 * 12, dim=6, unseen=3, validation=3)


class KeepsState(LinearRegressor):
    """Must see whole batches, and does not gather them."""

    whole_batches = True


def steps(name: str, dtype: torch.dtype = torch.float64, micro: int = 0) -> dict[str, Any]:
    """Twenty steps with batches that two and three processes cannot divide evenly."""
    new_loss, model = CASES[name]
    data = benchmark()
    index = data.split.train
    training = Training(loss=new_loss(), accelerator="cpu", batches=Batches(ways=0, size=11, micro=micro))
    torch.manual_seed(0)
    step = TrainingStep(new_classifier(data, index, model, None, training), data, index, training).to(dtype).train()
    copy_from_first(step)
    optimizer = torch.optim.AdamW([one for one in step.parameters() if one.requires_grad], lr=0.01)
    sampler = ShuffledBatches(index, 11, seed=0)
    values: list[torch.Tensor] = []
    gradients: list[torch.Tensor] = []
    while len(values) < STEPS:
        sampler.set_epoch(sampler.epoch + 1)
        step.classifier.network.start_epoch()
        for size, batch in zip(sampler.sizes, sampler, strict=True):
            assert isinstance(data.inputs, torch.Tensor)
            terms = step(data.inputs[batch].to(dtype), data.labels[batch], size)
            optimizer.zero_grad()
            terms.total.backward()
            average_gradients(step.parameters())
            values.append(torch.stack(terms).detach())
            gradients.append(torch.cat([one.grad.flatten() for one in step.parameters() if one.grad is not None]))
            optimizer.step()
    return {"values": values[:STEPS], "gradients": gradients[:STEPS], "state": step.state_dict()}


def fitted(run_dir: Path | None, resume: bool = False, callbacks: Sequence[Callback] = ()) -> dict[str, Any]:
    """A whole run; its validation samples are more than two parts of 256."""
    data = load_synthetic(None, 30, 5, samples=30 * 60, dim=8, unseen=8, validation=8)
    training = Training(
        loss=ReMSELoss(memory="ema"),
        max_epochs=2,
        accelerator="cpu",
        batches=Batches(ways=5, shots=3, per_epoch=4),
        optimization=Optimization(learning_rate=0.01),
    )
    model = partial(MLPRegressor, dropout=0.0)
    found = rezsl.fit(
        data, model, training=training, run_dir=run_dir, resume=resume, callbacks=callbacks, progress=False
    )
    assert found.test is not None
    rows: list[int] = []
    hook = found.model.network.register_forward_hook(lambda _, __, output: rows.append(len(output)))
    together = evaluate_together(found.model, data, 100)
    hook.remove()
    alone = rezsl.evaluate(found.model, data, batch_size=100)
    assert together.samples is not None
    assert alone.samples is not None
    for kind in ("predictions", "labels", "strangeness"):
        assert torch.equal(getattr(together.samples, kind), getattr(alone.samples, kind)), kind
    assert together.metrics() == pytest.approx(alone.metrics(), rel=0, abs=0, nan_ok=True)
    return {
        "rows": (sum(rows), len(alone.samples.labels)),
        "choice": found.choice.to_json(),
        "metrics": found.test.metrics(),
        "weights": found.model.state_dict(),
        "run": str(found.run_dir),
    }


def work(rank: int, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {name: steps(name) for name in CASES}
    found["float32"] = steps("ema", torch.float32)
    refused = {}
    for name, model, batches in (
        ("whole", KeepsState, Batches()),
        ("small", LinearRegressor, Batches(ways=1, shots=1)),
    ):
        training = Training(accelerator="cpu", max_epochs=1, batches=batches)
        try:
            rezsl.fit(benchmark(), model, training=training, progress=False)
        except ArgumentError as error:
            refused[name] = str(error)
    seed_step(3, 5, torch.device("cpu"), rank)
    found |= {"refused": refused, "drawn": torch.rand(3), "fit": fitted(folder / "run" if rank == 0 else None)}
    found["resumed"] = fitted(folder / "stopped" if rank == 0 else None, resume=True)
    return found


@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_do_what_one_does(count: int, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "stopped", callbacks=[CtrlC(1)])
    found: list[dict[str, Any]] = found_by(work, tmp_path, count)
    for name in (*CASES, "float32"):
        precise = name != "float32"
        alone = steps(name if precise else "ema", torch.float64 if precise else torch.float32)
        relative, absolute = (1e-10, 1e-12) if precise else (1e-5, 1e-6)
        close = partial(torch.testing.assert_close, rtol=relative, atol=absolute, equal_nan=True)
        for process in found:
            for kind in ("values", "gradients"):
                for after, expected in zip(process[name][kind], alone[kind], strict=True):
                    close(after, expected, msg=f"{name}: {kind}")
            assert process[name]["state"].keys() == alone["state"].keys()
            for key, tensor in alone["state"].items():
                close(process[name]["state"][key], tensor, msg=f"{name}: {key}")
    whole = fitted(None)
    for process in found:
        assert process["fit"]["choice"] == pytest.approx(whole["choice"], rel=1e-4)
        for name in ("T1", "U", "S", "H"):
            assert process["fit"]["metrics"][name] == whole["metrics"][name]
        assert process["fit"]["metrics"] == pytest.approx(found[0]["fit"]["metrics"], rel=0, abs=0, nan_ok=True)
        for key, tensor in found[0]["fit"]["weights"].items():
            # The first epoch was one process's, so that its sums have another order.
            torch.testing.assert_close(process["resumed"]["weights"][key], tensor, rtol=1e-3, atol=1e-5)
        assert process["fit"]["run"] == str(tmp_path / "run")
        assert "KeepsState, whose statistics are of whole batches" in process["refused"]["whole"]
        assert f"expected at least {count} samples in each" in process["refused"]["small"]
        for key, tensor in found[0]["fit"]["weights"].items():
            assert torch.equal(process["fit"]["weights"][key], tensor), key
    of_processes, (total, *_) = zip(*(process["fit"]["rows"] for process in found), strict=True)
    assert sum(of_processes) == total
    assert max(of_processes) - min(of_processes) <= 100
    draws = torch.stack([process["drawn"] for process in found])
    assert len(draws.unique(dim=0)) == count
    seed_step(3, 5, torch.device("cpu"))
    assert torch.equal(torch.rand(3), draws[0])
    assert (tmp_path / "run" / "metrics.json").exists()
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + 2 + whole["choice"]["epochs"]


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("SYNC", "FDS")])
def test_a_batch_in_parts_is_the_whole_batch(name: str) -> None:
    """Gradients are accumulated over parts of three images; losses and memories are those of the whole batch."""
    whole, parts = steps(name), steps(name, micro=3)
    for kind in ("values", "gradients"):
        for part, expected in zip(parts[kind], whole[kind], strict=True):
            torch.testing.assert_close(part, expected, rtol=1e-10, atol=1e-12)
    for key, tensor in whole["state"].items():
        torch.testing.assert_close(parts["state"][key], tensor, rtol=1e-10, atol=1e-12, equal_nan=True)

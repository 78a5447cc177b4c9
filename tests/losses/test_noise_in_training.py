"""A parameter of the loss is learnt by a real training, kept in its checkpoint, and taken up by a resumed run."""

import math
from pathlib import Path

import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.losses import BalancedMSELoss, BMCLoss, BNILoss, GAILoss
from rezsl.training import Batches, FitResult
from rezsl.training.callbacks import LatestCheckpoint
from rezsl.training.checkpoints import SafeCheckpointIO


class PowerCutError(Exception):
    """Stands for the power going off."""


def train(data: Benchmark, loss: BalancedMSELoss, run: Path, resume: bool = False) -> FitResult:
    return rezsl.fit(
        data,
        training=rezsl.Training(loss=loss, max_epochs=4, batches=Batches(ways=4, shots=4), accelerator="cpu"),
        run_dir=run,
        resume=resume,
        progress=False,
    )


def kept(checkpoint: dict[str, dict[str, torch.Tensor]]) -> float:
    return checkpoint["state_dict"]["objective.loss.log_noise"].item()


@pytest.mark.parametrize("loss", [BMCLoss(), BNILoss(), GAILoss()], ids=lambda loss: type(loss).__name__)
def test_the_noise_is_learnt_kept_and_resumed(
    features: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: BalancedMSELoss
) -> None:
    noises: list[float] = []
    save = LatestCheckpoint.on_train_epoch_end

    def record(self: LatestCheckpoint, trainer: object, module: object) -> None:
        save(self, trainer, module)  # type: ignore[arg-type]
        if "select" in self.path.name:
            noises.append(kept(SafeCheckpointIO().load_checkpoint(self.path)))

    def cut(self: LatestCheckpoint, trainer: object, module: object) -> None:
        save(self, trainer, module)  # type: ignore[arg-type]
        if trainer.current_epoch == 1:  # type: ignore[attr-defined]
            raise PowerCutError

    monkeypatch.setattr(LatestCheckpoint, "on_train_epoch_end", record)
    whole = train(features, loss, tmp_path / "whole")
    assert len({math.log(loss.noise), *noises}) == 5  # it moves in every one of four epochs
    assert loss.log_noise.item() == pytest.approx(math.log(loss.noise))  # the caller's own is left alone
    monkeypatch.setattr(LatestCheckpoint, "on_train_epoch_end", cut)
    with pytest.raises(PowerCutError):
        train(features, loss, tmp_path / "parts")
    uncut, noises = noises, []
    monkeypatch.setattr(LatestCheckpoint, "on_train_epoch_end", record)
    resumed = train(features, loss, tmp_path / "parts", resume=True)
    assert noises == uncut[2:]
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], tensor, rtol=0, atol=0, msg=name)

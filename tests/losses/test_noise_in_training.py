"""A parameter of the loss is learnt by a real training, kept in its checkpoint, and taken up by a resumed run."""

import math
from pathlib import Path

import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.losses import BalancedMSELoss, BMCLoss, BNILoss, GAILoss
from rezsl.training import Batches, Callback, FitResult, Stage
from rezsl.training._recording import read_checkpoint
from tests.training.interruptions import PowerCut, PowerCutError


class NoiseRecorder(Callback):
    """Reads the noise of each epoch of the selection from its checkpoint."""

    def __init__(self, run: Path) -> None:
        self.path, self.noises = run / "checkpoints" / "select.safetensors", list[float]()

    def on_epoch_start(self, stage: Stage) -> None:
        if stage.name == "select" and stage.epoch:
            self.noises.append(read_checkpoint(self.path)["step"]["objective.loss.log_noise"].item())

    def on_training_end(self, stage: Stage) -> None:
        self.on_epoch_start(stage)


def train(data: Benchmark, loss: BalancedMSELoss, run: Path, *callbacks: Callback, resume: bool = False) -> FitResult:
    return rezsl.fit(
        data,
        training=rezsl.Training(loss=loss, max_epochs=4, batches=Batches(ways=4, shots=4), accelerator="cpu"),
        run_dir=run,
        resume=resume,
        callbacks=callbacks,
        progress=False,
    )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("loss", [BMCLoss(), BNILoss(), GAILoss()], ids=lambda loss: type(loss).__name__)
def test_the_noise_is_learnt_kept_and_resumed(features: Benchmark, tmp_path: Path, loss: BalancedMSELoss) -> None:
    uncut, resumed = NoiseRecorder(tmp_path / "whole"), NoiseRecorder(tmp_path / "parts")
    whole = train(features, loss, tmp_path / "whole", uncut)
    assert len({math.log(loss.noise), *uncut.noises}) == 5  # it moves in every one of four epochs
    assert loss.log_noise.item() == pytest.approx(math.log(loss.noise))  # the caller's own is left alone
    with pytest.raises(PowerCutError):
        train(features, loss, tmp_path / "parts", PowerCut(2))
    result = train(features, loss, tmp_path / "parts", resumed, resume=True)
    assert resumed.noises == uncut.noises[1:]  # from the checkpoint that the resumed run begins with
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(result.model.state_dict()[name], tensor, rtol=0, atol=0, msg=name)

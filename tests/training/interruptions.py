"""Callbacks that end a training in its middle, as a power cut, Ctrl-C or a full disk would."""

import signal

from rezsl.training import Callback, Stage


class PowerCutError(Exception):
    """Stands for the power going off."""


class PowerCut(Callback):
    """Ends a stage before its epoch number ``epoch``, counted from 0: after the training state of the one before."""

    def __init__(self, epoch: int, stage: str = "select", error: BaseException | None = None) -> None:
        self.epoch, self.stage, self.error = epoch, stage, error or PowerCutError()

    def on_epoch_start(self, stage: Stage) -> None:
        if (stage.name, stage.epoch) == (self.stage, self.epoch):
            raise self.error


class CtrlC(Callback):
    """Presses Ctrl-C at the beginning of an epoch, counted from 0."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_start(self, stage: Stage) -> None:
        if stage.epoch == self.epoch:
            signal.raise_signal(signal.SIGINT)

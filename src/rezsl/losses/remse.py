"""ReMSE, the re-balanced mean squared error (Rebalanced Zero-shot Learning, IEEE TIP 2023, section III-B)."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributed import ProcessGroup

from rezsl.errors import ArgumentError, check_choice, check_not_negative, check_share
from rezsl.functional import class_error_matrix, rebalancing_weights
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss
from rezsl.losses.regression import cell_roots, safe_root
from rezsl.processes import class_sums, process_count, sizes_of, summed

Memory = Literal["batch", "running", "ema"]
ErrorKind = Literal["squared", "absolute", "root", "cell_root"]
WeightSource = Literal["squared", "error"]
Processes = ProcessGroup | Literal["world"]


class ReMSELoss(RegressionLoss):
    """Squared error, weighted so that classes and attributes with large errors count more.

    With E_is = (Â_is − A_{y_i s})² and e_cs, the mean of E_is over the samples of class c (no gradient),

        w_cs = (1 + ln(e_cs / min_c' e_c's))^class_power · (1 + ln(e_cs / min_s' e_cs'))^semantic_power
        L    = mean over i, s of w_{y_i s} · E_is

    These are equations of section III-B; the reference code calls ``class_power`` P and ``semantic_power`` P2. In
    training mode each call updates the memory of e; in evaluation mode the memory is read and stays unchanged.

    In :func:`rezsl.fit` the loss always receives the whole batch, over however many processes it is divided. In a
    training loop of your own with ``DistributedDataParallel``, each process receives a part. With ``process_group``,
    e, the weights and the value are then those of the whole batch in every process, parts of different lengths
    included; the gradient is that of the own part times the number of processes, so that the mean over processes, which
    ``DistributedDataParallel`` takes, is the gradient of the whole batch.

    Args:
        class_power: exponent of the comparison of an attribute's errors between classes, 0 or more.
        semantic_power: exponent of the comparison of a class's errors between attributes, 0 or more.
        memory: the source of e. ``batch``: this batch only (the paper's experiments); ``running``: a class that is
            absent keeps its last value; ``ema``: exponential average over the batches that contain the class.
        unit_mean: rescale the weights of each batch to mean 1, so that powers compare at equal weight of the loss.
        error: the error that is weighted: ``squared`` (E), ``absolute`` (√E), ``root`` (the square root of the whole
            ``squared`` loss), or ``cell_root`` (√(E + 10⁻¹⁰), which the published code calls RMSE).
        decay: share of the old average that ``ema`` keeps, in ``[0, 1)``.
        weights_from: the error whose class means are e: ``squared`` (E), or ``error``, the one that is weighted; for
            ``root`` this is E too. The published ReRMSE has ``cell_root`` and ``error``. Weights from roots are nearer
            to 1, because ln √E = ½ ln E.
        process_group: the processes over which a batch is divided: ``world`` for all processes, or a group of
            ``torch.distributed``; None for a loss that receives whole batches.

    >>> loss = ReMSELoss(class_power=1.0, semantic_power=0.0, normalize=False)
    >>> prediction, target = torch.tensor([[1.0], [2.718281828 ** 0.5]]), torch.zeros(2, 1)
    >>> loss(prediction, target, torch.tensor([0, 1]))  # weights 1 and 2
    tensor(3.2183)
    """

    error_memory: Float[Tensor, "C S"]

    def __init__(
        self,
        class_power: float = 1.0,
        semantic_power: float = 0.1,
        normalize: bool = True,
        memory: Memory = "batch",
        unit_mean: bool = False,
        error: ErrorKind = "squared",
        decay: float = 0.9,
        weights_from: WeightSource = "squared",
        process_group: Processes | None = None,
    ) -> None:
        super().__init__(normalize)
        check_not_negative(class_power=class_power, semantic_power=semantic_power)
        check_choice(Memory, memory=memory)
        check_choice(ErrorKind, error=error)
        check_choice(WeightSource, weights_from=weights_from)
        check_share(decay=decay)
        self.class_power, self.semantic_power = class_power, semantic_power
        self.memory, self.unit_mean, self.decay = memory, unit_mean, decay
        self.error, self.weights_from = error, weights_from
        if process_group is not None and not isinstance(process_group, ProcessGroup) and process_group != "world":
            raise ArgumentError(
                f"process_group: expected 'world', a group of torch.distributed, or None, got {process_group!r}"
            )
        self.process_group = process_group
        # One row per class label, NaN where no sample of the class has occurred; it grows with the highest label.
        self.register_buffer("error_memory", torch.empty(0, 0) if memory != "batch" else None)

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`RegressionLoss` for the arguments."""
        difference = self.differences(prediction, target)
        squared = difference.square()
        errors = squared
        if self.error == "absolute":
            errors = difference.abs()
        elif self.error == "cell_root":
            errors = cell_roots(squared)
        weights = self.weights(errors if self.weights_from == "error" else squared, labels)
        loss = self._mean(weights * errors)
        return safe_root(loss) if self.error == "root" else loss

    def _mean(self, terms: Predictions) -> Scalar:
        """Return the mean of terms ``[B, S]`` over the whole batch; the class describes its gradient."""
        if self.process_group is None:
            return terms.mean()
        count = sum(sizes_of(terms, self._group)) * terms.shape[1]
        own = terms.sum() * (process_count(self._group) / count)
        return own + (summed(terms.sum(), self._group) / count - own.detach())

    @property
    def _group(self) -> ProcessGroup | None:
        """The group whose processes divide a batch; None stands for all processes."""
        return self.process_group if isinstance(self.process_group, ProcessGroup) else None

    def _class_errors(self, errors: Predictions, labels: Labels) -> tuple[Float[Tensor, "K S"], Int[Tensor, "K"]]:
        """Return the error matrix of the whole batch, and its classes."""
        if self.process_group is None:
            return class_error_matrix(errors, labels)
        errors = errors.detach().to(torch.promote_types(errors.dtype, torch.float32))
        totals, classes, counts = class_sums(errors, labels, self._group)
        return totals / counts.unsqueeze(1), classes

    @torch.no_grad()
    def weights(self, errors: Predictions, labels: Labels) -> Predictions:
        """Return the weight of every sample's error in every attribute, ``[B, S]``, from the class means of errors."""
        matrix, classes = self._class_errors(errors, labels)
        if self.memory != "batch":
            matrix, classes = self._recall(matrix, classes)
        class_weights = rebalancing_weights(matrix, self.class_power, self.semantic_power)
        weights = class_weights[torch.searchsorted(classes, labels.contiguous())]
        return weights / self._mean(weights) if self.unit_mean else weights

    def _recall(
        self, matrix: Float[Tensor, "K S"], classes: Int[Tensor, "K"]
    ) -> tuple[Float[Tensor, "M S"], Int[Tensor, "M"]]:
        """Merge a batch's error matrix with the memory; return the rows of all classes so far and their labels."""
        old = self.error_memory
        if old.numel() and old.shape[1] != matrix.shape[1]:
            raise ArgumentError(
                f"prediction: expected {old.shape[1]} attributes as before, got {matrix.shape[1]}"
                "; make a new loss for other attributes"
            )
        remembered = matrix.new_full((max(int(classes[-1]) + 1, len(old)), matrix.shape[1]), torch.nan)
        if len(old):
            remembered[: len(old)] = old.to(matrix)
        if self.memory == "ema":
            before = remembered[classes]
            matrix = torch.where(before.isnan(), matrix, self.decay * before + (1 - self.decay) * matrix)
        remembered[classes] = matrix
        if self.training:
            self.error_memory = remembered
        # Errors of a diverged model are NaN, as rows of absent classes are; its loss must be NaN and not an error here.
        present = ~remembered.isnan().all(dim=1)
        present[classes] = True
        return remembered[present], present.nonzero().squeeze(1)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(prefix + "error_memory")
        if saved is not None:
            self.error_memory = self.error_memory.new_empty(saved.shape, dtype=saved.dtype)
        super()._load_from_state_dict(state_dict, prefix, *args)

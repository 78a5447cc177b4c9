"""A second device without hardware, on which code that is written for a GPU computes real numbers.

A tensor of the second device keeps its numbers in a tensor of the CPU. As on a GPU, an operation that mixes it with
a tensor of the CPU fails, except for copies, indices and single numbers, and NumPy cannot read it; as on the GPUs of
Macs, there is no float64. So a computation that works here, with the numbers of the CPU, leaves no tensor behind on the
wrong device.

Importing this module registers the device for the whole process, so a test does that in a process of its own.
"""

from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators.cpu import CPUAccelerator
from lightning_fabric.strategies.single_device import SingleDeviceStrategy
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "elsewhere"
"""PyTorch gives every module a method of this name."""
aten: Any = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class Backend(_DummyBackendModule):
    """What PyTorch asks of the module of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """Return the types of mixed precision."""
        return [torch.bfloat16, torch.float16]


_setup_privateuseone_for_python_backend(NAME, Backend())
DEVICE = torch.device(NAME, 0)


class Elsewhere(Tensor):
    """A tensor of the second device."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "Elsewhere":
        """Return a tensor with the shape and the numbers of one of the CPU."""
        assert numbers.dtype != torch.float64, "a tensor of float64 is made on a device that may not have it"
        # A tensor that is made in inference mode has no views, so these never are.
        with torch.inference_mode(mode=False):
            made: Elsewhere = Tensor._make_wrapper_subclass(
                cls,
                numbers.size(),
                strides=numbers.stride(),
                storage_offset=numbers.storage_offset(),
                dtype=numbers.dtype,
                device=DEVICE,
            )
        made.numbers = numbers
        return made

    def tolist(self) -> Any:
        """Return the numbers, as from any device."""
        return self.numbers.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """Refuse, as a tensor of a GPU does."""
        raise TypeError(f"can't convert {NAME} device type tensor to numpy")

    def __repr__(self) -> str:  # type: ignore[override]
        """Return the numbers and the device."""
        return f"{self.numbers} on {NAME}"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Compute an operation."""
        return computed(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """Lets functions that make tensors make them on the second device too, and counts the numbers that are read.

    Reading a number makes a program wait until a GPU has finished its queue.
    """

    place: ClassVar[torch.device] = DEVICE
    reads: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __enter__(self) -> "SecondDevice":
        """Let ``torch.tensor(numbers, device=…)`` copy its numbers to the device by an operation."""
        self.before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        """Undo that."""
        torch._C._set_only_lift_cpu_tensors(self.before)
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute an operation."""
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return the result of an operation; its tensors are where PyTorch would put them."""
    if torch.is_inference_mode_enabled():
        # Operations that consist of others come here whole in this mode.
        with SecondDevice():
            if (result := func.decompose(*args, **kwargs)) is not NotImplemented:
                return result
    tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    elsewhere, target = [one for one in tensors if isinstance(one, Elsewhere)], kwargs.get("device")
    if elsewhere and func not in COPIES | INDEXING:
        others = [tuple(one.shape) for one in tensors if one.ndim and not isinstance(one, Elsewhere)]
        assert not others, f"{func} mixes the devices: tensors of shape {others} are on the CPU"
    to_second = target is not None and torch.device(target).type == NAME
    SecondDevice.reads += func is aten._local_scalar_dense.default and bool(elsewhere)
    known = {id(one.numbers): one for one in elsewhere}
    plain_args, plain_kwargs = tree_map(lambda one: one.numbers if isinstance(one, Elsewhere) else one, (args, kwargs))
    result = func(*plain_args, **plain_kwargs | ({"device": torch.device("cpu")} if to_second else {}))
    if func in INDEXING | {aten.copy_.default}:
        stays = isinstance(args[0], Elsewhere)
    else:
        stays = to_second or (bool(elsewhere) and target is None)
    if not stays:
        return result
    # An operation in place returns its argument.
    return tree_map(
        lambda one: known[id(one)] if id(one) in known else Elsewhere(one) if isinstance(one, Tensor) else one, result
    )


class Anywhere(CPUAccelerator):
    """The accelerator of Lightning for a device that Lightning does not know."""

    def setup_device(self, device: torch.device) -> None:
        """Accept every device."""


def fabric(_: object) -> Fabric:
    """Return the Fabric of a training on the second device."""
    return Fabric(strategy=SingleDeviceStrategy(DEVICE, accelerator=Anywhere()))

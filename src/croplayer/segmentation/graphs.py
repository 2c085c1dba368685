"""CUDA graphs: the thousands of small kernels of a forward pass launched as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_WARM_UPS = 3


class CaptureError(Exception):
    """A computation cannot be captured as a CUDA graph."""


class KeptConstants(TorchFunctionMode):
    """Makes each constant tensor that code builds from Python numbers once, and keeps it.

    `torch.tensor([...], device="cuda")` in a forward pass copies from the host and waits for the
    device, which a capture forbids. Under this mode the warm-up makes such tensors, and the capture
    is given the same ones. Code that writes into them would change the constants; none does in the
    networks here, where they are the sizes of feature maps.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in (torch.tensor, torch.as_tensor) or not (args and _is_plain(args[0])):
            return func(*args, **kwargs)
        key = repr((args, sorted(kwargs.items(), key=lambda item: item[0])))
        if key not in self._kept:
            self._kept[key] = func(*args, **kwargs)
        return self._kept[key]


def _is_plain(value: Any) -> bool:
    """True for a number and for nested lists of numbers."""
    if isinstance(value, list | tuple):
        return all(_is_plain(part) for part in value)
    return isinstance(value, int | float)


class CapturedGraph:
    """A computation on tensors of fixed shape, recorded once and replayed.

    Parameters
    ----------
    compute : pure function of device tensors, giving a tuple of device tensors.
    example : inputs of the shape and dtype of all later ones.

    Calling it gives the same output tensors every time, filled anew.

    Raises CaptureError where the computation cannot be captured.
    """

    def __init__(self, compute: Callable[..., tuple[Tensor, ...]], *example: Tensor) -> None:
        self._inputs = tuple(tensor.clone() for tensor in example)
        device = example[0].device
        self._constants = KeptConstants()
        self._graph = torch.cuda.CUDAGraph()
        try:
            aside = torch.cuda.Stream(device)
            aside.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(aside), self._constants:
                for _ in range(_WARM_UPS):
                    compute(*self._inputs)
            torch.cuda.current_stream(device).wait_stream(aside)
            torch.cuda.synchronize(device)
            with torch.cuda.graph(self._graph), self._constants:
                self._outputs = compute(*self._inputs)
        except RuntimeError as error:
            torch.cuda.synchronize(device)
            lines = str(error).strip().splitlines()
            raise CaptureError(lines[0] if lines else type(error).__name__) from error

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs for new inputs, queued on the current stream."""
        for kept, new in zip(self._inputs, inputs, strict=True):
            kept.copy_(new)
        self._graph.replay()
        return self._outputs

"""Overlapping chips added up to probability, a row of chips at a time, on the device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Encode = Callable[[Tensor], Tensor]
"""float32 (rows, columns), NaN where there is no imagery -> what is wanted of it."""


class Blend:
    """Weighted sums of a row of chips, over a strip as high as they are.

    Parameters
    ----------
    chip : edge of a chip, pixels.
    left, width : global column of the strip's west edge, and its columns.
    """

    def __init__(self, chip: int, left: int, width: int, device: torch.device) -> None:
        self.left = left
        self.total = torch.zeros((chip, width), dtype=torch.float32, device=device)
        self.weight = torch.zeros_like(self.total)

    def add(self, col: int, weighted: Tensor, weight: Tensor) -> None:
        """Add a chip (rows, columns), already weighted, whose west edge is the column `col`."""
        place = slice(col - self.left, col - self.left + weight.shape[1])
        self.total[:, place] += weighted
        self.weight[:, place] += weight

    def take(self, first: int, stop: int, col: int, width: int) -> Tensor:
        """Blended rows first to stop - 1 from column `col` on; NaN where no chip had imagery."""
        part = slice(first, stop), slice(col - self.left, col - self.left + width)
        # 0 / 0 is NaN, as wanted.
        return self.total[part] / self.weight[part]

    def shift(self, rows: int) -> None:
        """Drop the first rows and make room for as many below."""
        for store in (self.total, self.weight):
            rest = len(store) - rows
            store[:rest] = store[rows:].clone()
            store[rest:] = 0


class HostCopy:
    """A piece on its way to the host's memory; the device goes on meanwhile."""

    def __init__(self, piece: Tensor) -> None:
        self._event = None
        if piece.device.type == "cuda":
            self._host = torch.empty(piece.shape, dtype=piece.dtype, pin_memory=True)
            self._host.copy_(piece, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._host = piece

    def array(self) -> np.ndarray:
        """The piece, once it has arrived."""
        if self._event is not None:
            self._event.synchronize()
        return self._host.numpy()

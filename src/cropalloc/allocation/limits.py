"""When to stop short of the optimum: a time limit, or a gap that is good enough."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

Ended = Literal["optimum", "gap", "time limit"]


@dataclass(frozen=True)
class Limits:
    """`deadline` is a reading of `time.perf_counter`; `gap` a relative duality gap."""

    deadline: float = np.inf
    gap: float = 0.0

    @property
    def left_s(self) -> float:
        return self.deadline - time.perf_counter()

    @property
    def over(self) -> bool:
        return self.left_s <= 0


class ConvergenceError(RuntimeError):
    """The exact solver did not reach the optimum; the caller falls back to another method."""


class OutOfTimeError(ConvergenceError):
    """The time allowed for one group of units is over."""

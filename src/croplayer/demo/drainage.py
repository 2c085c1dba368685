"""Water on a coarse relief: where it runs, what it gathers, and how it carves.

Implicit stream-power erosion after Braun and Willett (2013), Geomorphology 180-181, with a
steepest-descent receiver for each node and nodes handled by their depth above the outlets.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

FILL_EVERY = 24
"""Steps of erosion between two fillings of the pits that creep and uplift leave."""
_STEPS = [(di, dj) for di in (-1, 0, 1) for dj in (-1, 0, 1) if di or dj]


@dataclass(frozen=True)
class Flow:
    """Routing of the flat nodes of a grid (row-major).

    receiver : (n,) int64, node that a node drains to; itself at outlets and pits.
    length : (n,) float64, distance to the receiver (1 at outlets).
    levels : node numbers by depth, outlets first.
    """

    receiver: np.ndarray
    length: np.ndarray
    levels: list[np.ndarray]

    def gather(self, amount: np.ndarray) -> np.ndarray:
        """What passes each node when every node sheds `amount` (n,), float64."""
        total = amount.astype(np.float64).copy()
        for nodes in reversed(self.levels[1:]):
            np.add.at(total, self.receiver[nodes], total[nodes])
        return total

    def upstream_of(self, node: int) -> np.ndarray:
        """(n,) True where water passes `node`."""
        hit = np.zeros(self.receiver.size, bool)
        hit[node] = True
        for nodes in self.levels[1:]:
            hit[nodes] |= hit[self.receiver[nodes]]
        return hit


def route(height: np.ndarray, outlet: np.ndarray, dx: float, dy: float) -> Flow:
    """Steepest-descent routing of `height`; nodes of `outlet` keep their water (rows, columns)."""
    rows, cols = height.shape
    padded = np.pad(height, 1, constant_values=np.inf)
    best = np.zeros(height.shape)
    shift = np.zeros(height.shape, np.int64)
    length = np.ones(height.shape)
    for di, dj in _STEPS:
        distance = float(np.hypot(di * dy, dj * dx))
        slope = (height - padded[1 + di : 1 + di + rows, 1 + dj : 1 + dj + cols]) / distance
        steeper = slope > best
        best[steeper] = slope[steeper]
        shift[steeper] = di * cols + dj
        length[steeper] = distance
    shift[outlet] = 0
    length[outlet] = 1.0
    receiver = np.arange(height.size) + shift.ravel()
    return Flow(receiver, length.ravel(), _levels(receiver))


def fill_pits(height: np.ndarray, outlet: np.ndarray, *, rise: float = 1e-4) -> np.ndarray:
    """Raise every pit until its water finds a way out (priority flood, Barnes et al. 2014).

    `rise` is the least fall from node to node on filled ground. Returns (rows, columns) float64.
    """
    rows, cols = height.shape
    filled = height.astype(np.float64).ravel().tolist()
    closed = outlet.ravel().copy()
    done = closed.tolist()
    heap = [(filled[node], node) for node in np.flatnonzero(closed).tolist()]
    heapq.heapify(heap)
    while heap:
        level, node = heapq.heappop(heap)
        row, col = divmod(node, cols)
        for di, dj in _STEPS:
            if not (0 <= row + di < rows and 0 <= col + dj < cols):
                continue
            beside = node + di * cols + dj
            if done[beside]:
                continue
            done[beside] = True
            if filled[beside] <= level:
                filled[beside] = level + rise
            heapq.heappush(heap, (filled[beside], beside))
    return np.array(filled).reshape(rows, cols)


def _levels(receiver: np.ndarray) -> list[np.ndarray]:
    """Nodes grouped by the number of steps to their outlet (pointer doubling)."""
    depth = (receiver != np.arange(receiver.size)).astype(np.int64)
    jump = receiver.copy()
    while True:
        further = depth[jump]
        if not further.any():
            break
        depth = depth + further
        jump = jump[jump]
    order = np.argsort(depth, kind="stable")
    cuts = np.searchsorted(depth[order], np.arange(1, depth.max() + 1))
    return np.split(order, cuts)


def evolve(
    height: np.ndarray,
    uplift: np.ndarray,
    outlet: np.ndarray,
    *,
    dx: float,
    dy: float,
    steps: int,
    erodibility: np.ndarray,
    creep: float,
) -> np.ndarray:
    """Raise and carve a relief until valleys and ridges stand out.

    Parameters
    ----------
    height, uplift, erodibility : (rows, columns); uplift and erodibility a step.
    outlet : (rows, columns) bool, nodes of fixed height.
    dx, dy : node spacing, km.
    creep : share of a node's curvature that hillslopes lose a step, 0-0.25.

    Returns
    -------
    (rows, columns) float64, in the unit of `height`.
    """
    shape = height.shape
    h = height.astype(np.float64).ravel().copy()
    lift = np.where(outlet, 0, uplift).ravel()
    rate = erodibility.ravel()
    for step in range(steps):
        if step % FILL_EVERY == 0:
            h = fill_pits(h.reshape(shape), outlet).ravel()
        flow = route(h.reshape(shape), outlet, dx, dy)
        area = flow.gather(np.full(h.size, dx * dy))
        factor = rate * np.sqrt(area) / flow.length
        h = h + lift
        for nodes in flow.levels[1:]:
            k = factor[nodes]
            h[nodes] = (h[nodes] + k * h[flow.receiver[nodes]]) / (1 + k)
        if creep:
            field = h.reshape(shape)
            bend = ndimage.laplace(field, mode="nearest")
            h = np.where(outlet, field, field + creep * bend).ravel()
    return h.reshape(shape)

"""A box of prices: what is settled while prices stay in it, what is open, and its allocation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cropalloc.allocation import open_parcels, placing
from cropalloc.allocation.compiled import Compiled
from cropalloc.allocation.open_parcels import BoxPrices


@dataclass(frozen=True)
class Box:
    """Parcels while prices stay in a box; those that are alike share a row.

    Fields
    ------
    used : (leaves, m) hectares of settled parcels.
    choice : (n, 2) int16, activity of each parcel, or a code of `open_parcels`.
    parcel : (p,) int64 open parcels, ascending; row : (p,) int32, the row of each.
    leaf, capacity, idle : (r,) of each row: its leaf, hectares, whether some may be left idle.
    start : (r + 1,) where the candidates of each row begin in
    activity, worth : (c,) int16 and float64.
    """

    used: np.ndarray
    choice: np.ndarray
    parcel: np.ndarray
    row: np.ndarray
    leaf: np.ndarray
    capacity: np.ndarray
    idle: np.ndarray
    start: np.ndarray
    activity: np.ndarray
    worth: np.ndarray

    @property
    def n_rows(self) -> int:
        return len(self.leaf)


def box_prices(compiled: Compiled, prices: np.ndarray, radius: np.ndarray) -> BoxPrices:
    """Prices of activities that move by `radius` (l, m), as the compiled search takes them."""
    return BoxPrices(
        compiled.weight, compiled.activity_prices(prices), compiled.first, radius * (1 + 1e-9),
        compiled.n_rainfed, float(compiled.land_penalty),
    )  # fmt: skip


def open_box(compiled: Compiled, prices: np.ndarray, radius: np.ndarray) -> Box:
    """What is settled, and what is open, while the prices of activities move by `radius` (l, m)."""
    c, around = compiled, box_prices(compiled, prices, radius)
    used, choice, n_open = open_parcels.settle(c.scores, c.leaf, c.irrigated, c.dry, around)
    parcel, row, opener, counts, idle = open_parcels.join_alike(
        c.scores, c.leaf, choice, n_open, around
    )
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    activity, worth = open_parcels.list_candidates(c.scores, c.leaf, opener, start, around)
    capacity = np.bincount(row, _areas(compiled, parcel), minlength=len(opener))
    leaf = compiled.leaf[opener // 2]
    return Box(used, choice, parcel, row, leaf, capacity, idle, start, activity, worth)


def _areas(compiled: Compiled, parcel: np.ndarray) -> np.ndarray:
    """(p,): hectares of parcels."""
    return np.where(parcel % 2 == 0, compiled.irrigated[parcel // 2], compiled.dry[parcel // 2])


def placed(
    compiled: Compiled, box: Box, flow: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells, activities and hectares of settled parcels and of the `flow` (c,) of open rows.

    Alike parcels share in proportion to their area.
    """
    return placing.collect(
        box.choice, compiled.irrigated, compiled.dry, box.parcel, box.row, box.start, box.activity,
        flow, box.capacity, compiled.scores.rows,
    )  # fmt: skip

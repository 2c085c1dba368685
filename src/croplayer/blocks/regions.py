"""Region properties of one block: 8-connected regions, solidity, Euler number (paper, Eq. 3-4).

A block of 2,304 pixels squared holds thousands of regions, and the country 389,777 blocks: one
Python object a region would cost CPU-years. Here a mask is reduced to its horizontal runs, and
everything is counted in whole numbers from those:

- Regions are unions of runs that touch, also by a corner (union-find).
- Runs of one row lie at least a pixel apart, and two runs of neighbouring rows meet in one
  interval or not at all. By the nerve of that cover the Euler number C - H of a region is its
  number of runs less its number of touching pairs.
- The convex hull of a region depends on its first and last column in each row alone. As in
  scikit-image's `regionprops`, a pixel stands for the midpoints of its four edges, and a pixel
  belongs to the hull if its centre lies inside or on the edge. In coordinates of half pixels all
  of this is integer arithmetic, hence exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np


@dataclass(frozen=True)
class Regions:
    """Properties of the 8-connected regions of a mask, in raster order of their first pixels.

    area, hull_area, euler : (n,) int64; pixels, pixels of the convex hull, C - H.
    """

    area: np.ndarray
    hull_area: np.ndarray
    euler: np.ndarray

    @property
    def solidity(self) -> np.ndarray:
        """(n,) float64: area / hull area (paper, Eq. 3); 1 for a convex region."""
        return self.area / self.hull_area

    def summary(self) -> RegionSummary:
        """Mean and sum over the regions, as Table 5 names them."""
        n = len(self.area)
        if n == 0:
            return RegionSummary(0, float("nan"), 0.0, float("nan"), 0)
        solidity = self.solidity
        return RegionSummary(
            n_regions=n,
            solidity_mean=float(solidity.mean()),
            solidity_total=float(solidity.sum()),
            en_mean=float(self.euler.mean()),
            en_total=int(self.euler.sum()),
        )


@dataclass(frozen=True)
class RegionSummary:
    """Solidity and Euler number of a block (paper, Table 5).

    The means of a block without regions do not exist and are NaN; its totals are 0.
    `en_total` is the Euler number of the whole mask.
    """

    n_regions: int
    solidity_mean: float
    solidity_total: float
    en_mean: float
    en_total: int


def measure_regions(mask: np.ndarray) -> Regions:
    """Area, hull area and Euler number of every 8-connected region.

    Parameters
    ----------
    mask : (rows, columns) bool.

    Returns
    -------
    Regions; `solidity` and `euler` equal scikit-image's `regionprops` of the mask labelled with
    connectivity 2.

    Raises ValueError if `mask` is not two-dimensional.
    """
    mask = np.ascontiguousarray(mask, dtype=bool)
    if mask.ndim != 2:
        raise ValueError(f"a mask has rows and columns, not {mask.ndim} dimensions")
    pointer, start, stop = _find_runs(mask.view(np.uint8))
    label, pairs, n = _connect_runs(pointer, start, stop)
    return Regions(*_measure_runs(pointer, start, stop, label, pairs, n))


@numba.njit(cache=True, nogil=True)
def _find_runs(mask):
    """Runs of ones: row r has runs pointer[r] to pointer[r + 1], each of columns [start, stop)."""
    rows, cols = mask.shape
    pointer = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        count = 0
        before = np.uint8(0)
        for c in range(cols):
            count += mask[r, c] & (before ^ np.uint8(1))
            before = mask[r, c]
        pointer[r + 1] = pointer[r] + count
    start = np.empty(pointer[rows], np.int64)
    stop = np.empty(pointer[rows], np.int64)
    for r in range(rows):
        k = pointer[r] - 1
        if pointer[r + 1] == pointer[r]:
            continue
        before = np.uint8(0)
        for c in range(cols):
            value = mask[r, c]
            if value != before:
                if value:
                    k += 1
                    start[k] = c
                else:
                    stop[k] = c
                before = value
        if before:
            stop[k] = cols
    return pointer, start, stop


@numba.njit(cache=True, nogil=True)
def _connect_runs(pointer, start, stop):
    """(region of each run, in raster order; its touching pairs with the row below; regions)."""
    n_runs = len(start)
    parent = np.arange(n_runs)
    pairs = np.zeros(n_runs, np.int64)
    for r in range(1, len(pointer) - 1):
        above, end_above = pointer[r - 1], pointer[r]
        below, end_below = pointer[r], pointer[r + 1]
        while above < end_above and below < end_below:
            if start[below] <= stop[above] and start[above] <= stop[below]:
                pairs[above] += 1
                # The root is always the smallest run, so regions come out in raster order.
                i, j = above, below
                while parent[i] != i:
                    parent[i] = parent[parent[i]]
                    i = parent[i]
                while parent[j] != j:
                    parent[j] = parent[parent[j]]
                    j = parent[j]
                if i < j:
                    parent[j] = i
                elif j < i:
                    parent[i] = j
            if stop[above] < stop[below]:
                above += 1
            elif stop[below] < stop[above]:
                below += 1
            else:
                # Both end here, so neither can reach the other's successor, which starts at
                # least one column further than a corner would allow.
                above += 1
                below += 1
    label = np.empty(n_runs, np.int64)
    n = 0
    for k in range(n_runs):
        if parent[k] == k:
            label[k] = n
            n += 1
        else:
            label[k] = label[parent[k]]
    return label, pairs, n


@numba.njit(cache=True, nogil=True)
def _measure_runs(pointer, start, stop, label, pairs, n):
    """(area, hull area, Euler number) of each region."""
    rows = len(pointer) - 1
    area = np.zeros(n, np.int64)
    euler = np.zeros(n, np.int64)
    top = np.full(n, -1, np.int64)
    height = np.zeros(n, np.int64)
    for r in range(rows):
        for k in range(pointer[r], pointer[r + 1]):
            i = label[k]
            area[i] += stop[k] - start[k]
            euler[i] += 1 - pairs[k]
            if top[i] < 0:
                top[i] = r
            height[i] = r - top[i] + 1
    offset = np.zeros(n + 1, np.int64)
    tallest = 0
    for i in range(n):
        offset[i + 1] = offset[i] + height[i]
        tallest = max(tallest, height[i])
    # First column, and last column with its sign reversed: both sides are then minima.
    left = np.empty(offset[n], np.int64)
    right = np.empty(offset[n], np.int64)
    seen = np.zeros(offset[n], np.bool_)
    for r in range(rows):
        for k in range(pointer[r], pointer[r + 1]):
            at = offset[label[k]] + r - top[label[k]]
            if not seen[at]:
                seen[at] = True
                left[at] = start[k]
            right[at] = 1 - stop[k]
    hull = np.zeros(n, np.int64)
    stack_y = np.empty(2 * tallest + 1, np.int64)
    stack_x = np.empty(2 * tallest + 1, np.int64)
    for i in range(n):
        a, b = offset[i], offset[i + 1]
        hull[i] = (
            height[i]
            - _sum_of_hull_sides(left[a:b], stack_y, stack_x)
            - _sum_of_hull_sides(right[a:b], stack_y, stack_x)
        )
    return area, hull, euler


@numba.njit(cache=True, nogil=True)
def _sum_of_hull_sides(side, stack_y, stack_x):
    """Sum over the rows of the first pixel column inside the convex hull.

    `side` holds the first column of the region in each row. In half pixels, with pixel centres at
    even coordinates, the region's outermost points are x = 2 side - 1 at a row's centre and the
    smaller of two neighbouring rows' 2 side on the edge between them.
    """
    h = len(side)
    size = 0
    for y in range(-1, 2 * h):
        if y % 2 == 0:
            x = 2 * side[y // 2] - 1
        elif y == -1:
            x = 2 * side[0]
        elif y == 2 * h - 1:
            x = 2 * side[h - 1]
        else:
            x = 2 * min(side[y // 2], side[y // 2 + 1])
        # Lower convex envelope of x over y.
        while size > 1 and (stack_x[size - 1] - stack_x[size - 2]) * (y - stack_y[size - 2]) >= (
            x - stack_x[size - 2]
        ) * (stack_y[size - 1] - stack_y[size - 2]):
            size -= 1
        stack_y[size] = y
        stack_x[size] = x
        size += 1
    total = 0
    edge = 0
    for row in range(h):
        y = 2 * row
        while stack_y[edge + 1] < y:
            edge += 1
        dy = stack_y[edge + 1] - stack_y[edge]
        x = stack_x[edge] * dy + (stack_x[edge + 1] - stack_x[edge]) * (y - stack_y[edge])
        total -= (-x) // (2 * dy)
    return total

"""Prices near the optimum of a large problem: interior point on a sample, then on what is open.

The interior-point method keeps some numbers for each use of each parcel. Here it never sees all of
them: first it prices a sample of the cells, then a larger one or small leaves one after the other
(`by_leaf`), and at last all cells, but of these only the uses that may be best while prices stay in
a box around those found before. The box is as wide as memory allows. Whatever is settled in it is
one parcel an activity and leaf, to be had back at the price on the upper face of the box; more land
may be had at the price on the lower face. A solution that takes neither is that of the whole
problem (the dual is convex), otherwise the box moves there, and gets wider for the prices that came
to its edge and narrower for the others: boxstep, as in `boxstep`, whose boxes are small and whose
solutions are exact.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cropalloc.allocation import sampling_kernels
from cropalloc.allocation.box import box_prices, open_box
from cropalloc.allocation.boxstep import further, overflow_columns
from cropalloc.allocation.by_leaf import priced_by_leaf
from cropalloc.allocation.compiled import Compiled
from cropalloc.allocation.interior import Parcels, interior_of, uses_of_leaves
from cropalloc.allocation.limits import Limits

log = logging.getLogger(__name__)

USES = 100_000  # that the interior point may have at once,
USES_A_CELL = 0.4  # or so many a cell of the problem, where that is more,
USES_A_STATISTIC = 12  # or so many a statistic
GROWTH = 4  # of a sample by the one before
LARGEST = 0.05  # part of the cells that a sample may have
MAX_BOXES = 20  # of all cells
WIDEST = 32.0  # score points, half the width of a box
NARROWER = 0.7  # than a box that is too wide
NARROWEST = 0.02
ANYWHERE = 1e3  # score points beyond the penalties, where no price lies
SPARE = 0.02  # of a leaf's land, which the statistics of a sample may miss by, all activities
NEGLIGIBLE = 1e-7  # part of all statistics that the faces of a box may take that is the last one
SMALL_PART = 1e-4  # the same where another box would not take much less
FAR = 1e-4  # relative gap of the interior point in a box, beyond which its prices are no good
PATIENCE = 3  # boxes
LEAST_CHANGE, MOST_CHANGE = 0.3, 4.0  # of a box's width, by how much of it a price used
FLATTEST = 1e-2  # width of a box by its widest
HARDLY_LESS = 0.8  # of what the faces of the box before took: another is not worth while


def uses_at_once(compiled: Compiled) -> int:
    """How many uses the interior point has at once where all are too many."""
    n, _ = compiled.scores.shape
    return int(max(USES, USES_A_CELL * n, USES_A_STATISTIC * compiled.n_demands))


def sampled_prices(
    compiled: Compiled, budget: int, limits: Limits, start: np.ndarray | None = None
) -> tuple[np.ndarray, bool]:
    """Prices (d,) near the optimum, and whether they are known to be near it.

    They are not where boxes with room for `budget` uses do not reach the optimum, or time is over.
    Boxes begin at prices `start` (d,), else at those of samples.
    """
    if start is None:
        start = _prices_of_samples(compiled, budget, limits)
        start = priced_by_leaf(compiled, start, budget, limits)
    prices, shape = start, np.ones(compiled.weight.shape)
    over = overflow_columns(compiled)
    outsides: list[float] = []
    for _ in range(MAX_BOXES):
        found, reach, outside = _next_prices(compiled, prices, shape, budget, limits)
        if not np.isfinite(outside):
            return prices, False
        hardly_less = outside > HARDLY_LESS * min(outsides[-PATIENCE:], default=np.inf)
        if outside <= NEGLIGIBLE or (hardly_less and outside <= SMALL_PART):
            return found, True
        if limits.over or (hardly_less and len(outsides) >= PATIENCE):
            return found, False
        outsides.append(outside)
        shape = _reshaped(compiled, shape, found - prices, reach)
        prices, _ = further(compiled, prices, found, over)
    return prices, False


def _reshaped(
    compiled: Compiled, shape: np.ndarray, moved: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """(l, m): relative half widths of the next box, by how much of the last one each price used.

    Those that came to the edge get more room, and those that hardly moved leave it to them.
    """
    change = np.where(compiled.allowed, np.abs(compiled.activity_prices(moved)), 0.0)
    used = np.divide(change, reach, out=np.zeros(reach.shape), where=reach > 0)
    shape = np.maximum(shape * np.clip(2.0 * used, LEAST_CHANGE, MOST_CHANGE), FLATTEST)
    return shape / shape[compiled.allowed].max(initial=FLATTEST)


def _prices_of_samples(compiled: Compiled, budget: int, limits: Limits) -> np.ndarray:
    """Prices (d,) of a sample of the cells, and then of larger ones in boxes around these."""
    prices = np.zeros(compiled.n_demands)
    shape = np.full(compiled.weight.shape, np.inf)  # anywhere, at first
    # Leaves that are small enough to be priced with all their cells need no larger samples.
    grow = bool((uses_of_leaves(compiled) > budget).any())
    for part in _samples(compiled, 0.5 * budget / compiled.scores.shape[1], grow=grow):
        found, _, outside = _next_prices(part, prices, shape, budget, limits)
        if not np.isfinite(outside):
            break
        prices, shape = found, np.ones(compiled.weight.shape)
        del part  # before the next is made
    return prices


def _samples(compiled: Compiled, cells: float, *, grow: bool) -> Iterator[Compiled]:
    """Samples of ever more cells (with `grow`), the first of about `cells`, up to a part of all.

    Every activity of a leaf keeps enough of them: a cell is taken with a chance in proportion to
    the rarest activity that it may have.
    """
    rate = sampling_kernels.rarity(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.allowed,
        compiled.n_rainfed,
    )  # fmt: skip
    most = LARGEST * np.count_nonzero(rate)
    while True:
        yield _sample(compiled, rate, _factor(rate, cells))
        cells *= GROWTH
        if cells > most or not grow:
            break


def _factor(rate: np.ndarray, cells: float) -> float:
    """What `rate` (n,) is multiplied by, and cut at one, so that its sum is `cells`."""
    low, high = 0.0, 1.0 / float(rate[rate > 0].min(initial=1.0))
    for _ in range(30):
        middle = 0.5 * (low + high)
        enough = np.minimum(np.float32(middle) * rate, np.float32(1)).sum(dtype=float) > cells
        low, high = (low, middle) if enough else (middle, high)
    return high


def _sample(compiled: Compiled, rate: np.ndarray, factor: float) -> Compiled:
    """The problem of cells taken with a chance of `factor` times `rate`, at equal steps of it.

    They stand for the others: their land is divided by their chance, and scaled so that a leaf
    keeps its land.
    """
    cells = sampling_kernels.at_equal_steps(compiled.leaf, rate, factor, len(compiled.weight))
    chance = np.minimum(factor * rate[cells], 1.0)
    return replace(
        compiled.of_cells(cells),
        irrigated=_land_of(compiled, compiled.irrigated, cells, chance),
        dry=_land_of(compiled, compiled.dry, cells, chance),
    )


def _land_of(
    compiled: Compiled, land: np.ndarray, cells: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    """Land of the cells of a sample, as much in each leaf as there is (if it has any)."""
    leaves, leaf, part = len(compiled.weight), compiled.leaf[cells], land[cells] / chance
    there = np.bincount(compiled.leaf, land, minlength=leaves)
    taken = np.bincount(leaf, part, minlength=leaves)
    return part * np.divide(there, taken, out=np.ones(leaves), where=taken > 0)[leaf]


def _next_prices(
    compiled: Compiled, prices: np.ndarray, shape: np.ndarray, budget: int, limits: Limits
) -> tuple[np.ndarray, np.ndarray, float]:
    """Prices at the optimum inside a box, half its width, and what its faces took of statistics.

    Half the width (l, m) is `shape` times 32 score points, or fewer, until the box has no more open
    uses than `budget`. If that makes it too narrow, or the method does not get near the optimum, or
    time is over, what the faces took is infinite, and prices are those given.
    """
    width = np.inf if np.isinf(shape).all() else WIDEST
    while width >= NARROWEST and not limits.over:
        reach = _reach(compiled, width * shape)
        found = sampling_kernels.count_candidates(
            compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry,
            box_prices(compiled, prices, reach), budget,
        )  # fmt: skip
        if found <= budget:
            inside, gap, outside = _inside(compiled, prices, reach, limits)
            log.debug("box of %.3g points, %d uses, %.2g outside", width, found, outside)
            if gap <= FAR:
                return inside, reach, outside
            break
        width = min(WIDEST, NARROWER * width)
    return prices, np.zeros(shape.shape), np.inf


def _reach(compiled: Compiled, points: np.ndarray) -> np.ndarray:
    """(l, m): half the width of a box of prices of activities."""
    penalty = np.append(np.where(np.isfinite(compiled.penalty), compiled.penalty, 0.0), 0.0)
    relief = np.einsum("lmq,lmq->lm", compiled.coefficient, penalty[compiled.owner])
    return np.minimum(points * compiled.weight, 2.0 * relief + ANYWHERE * compiled.weight)


def _inside(
    compiled: Compiled, prices: np.ndarray, reach: np.ndarray, limits: Limits
) -> tuple[np.ndarray, float, float]:
    """Prices (d,) at the optimum inside a box, their gap, and what its faces took of statistics."""
    box = open_box(compiled, prices, reach)
    table = compiled.activity_prices(prices)
    leaves, m = compiled.weight.shape
    land = np.bincount(compiled.leaf, compiled.irrigated, minlength=leaves)
    land += np.bincount(compiled.leaf, compiled.dry, minlength=leaves)
    c, k = np.nonzero(compiled.allowed & (land > 0)[:, None])
    # Land of a sample may fall short of what must be used, or be too much where none may be idle.
    spare = np.zeros((leaves, m))
    spare[c, k] = SPARE * land[c] / m
    settled = (box.used + spare)[c, k]
    faces = len(c)
    parcels = Parcels(
        leaf=np.concatenate([box.leaf, c, c]).astype(np.int32),
        capacity=np.concatenate([box.capacity, settled, land[c]]),
        idle=np.concatenate([box.idle, np.ones(2 * faces, dtype=bool)]),
        start=np.concatenate([box.start, box.start[-1] + 1 + np.arange(2 * faces)]),
        activity=np.concatenate([box.activity, k, k]).astype(np.int16),
        worth=np.concatenate([box.worth, (table + reach)[c, k], (table - reach)[c, k]]),
    )
    del box
    wanted = replace(compiled, area=compiled.area + compiled.placed(spare))
    found, gap, hectares = interior_of(wanted, parcels, limits=limits)
    kept, more = hectares[-2 * faces : -faces], hectares[-faces:]
    outside = float((settled - kept).sum() + more.sum())
    return found, gap, outside / max(float(compiled.area.sum()), 1e-300)

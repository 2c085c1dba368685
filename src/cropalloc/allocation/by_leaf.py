"""Prices of the statistics that lie in one leaf alone, leaf by leaf, while the others keep theirs.

A sample of the cells tells the prices of statistics that have many cells in it. Those of thousands
of small units have a handful each. But once the prices of the statistics that join units are known,
units are problems of their own, small enough to be priced with all their cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cropalloc.allocation.compiled import Compiled
from cropalloc.allocation.interior import all_parcels, interior_of, uses_of_leaves
from cropalloc.allocation.limits import Limits

NEAR = 1e-3  # relative gap: boxes go on from here


def priced_by_leaf(
    compiled: Compiled, prices: np.ndarray, budget: int, limits: Limits
) -> np.ndarray:
    """Prices (d,), those of statistics in one small leaf at the optimum for the others' `prices`.

    A leaf is small if all its uses are no more than `budget`; as many leaves as have no more are
    priced together.
    """
    leaves_of = _only_leaf(compiled)
    prices = prices.copy()
    others = compiled.activity_prices(np.where(leaves_of < 0, prices, 0.0))
    for leaves in _batches(uses_of_leaves(compiled), budget):
        if limits.over:
            break
        inside = np.isin(leaves_of, leaves)
        part = _part(compiled, leaves, inside)
        parcels = all_parcels(part)
        if len(parcels.worth) == 0 or not (part.area > 0).any():
            continue
        paid = others[leaves]
        parcels.worth -= paid[np.repeat(parcels.leaf, np.diff(parcels.start)), parcels.activity]
        found, _, _ = interior_of(part, parcels, NEAR, limits)
        prices[inside] = found[inside]
    return prices


def _only_leaf(compiled: Compiled) -> np.ndarray:
    """(d,): the leaf of each statistic that lies in one alone, -1 of the others."""
    leaf, activity, place = np.nonzero(compiled.owner >= 0)
    owner = compiled.owner[leaf, activity, place]
    first = np.full(compiled.n_demands, len(compiled.weight))
    last = np.full(compiled.n_demands, -1)
    np.minimum.at(first, owner, leaf)
    np.maximum.at(last, owner, leaf)
    return np.where(first == last, first, -1)


def _batches(uses: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Small leaves, in order, as many as have no more uses than `budget` together."""
    small = np.flatnonzero(uses <= budget)
    begin, total = 0, 0
    for at, leaf in enumerate(small.tolist()):
        if total + uses[leaf] > budget:
            yield small[begin:at]
            begin, total = at, 0
        total += int(uses[leaf])
    if begin < len(small):
        yield small[begin:]


def _part(compiled: Compiled, leaves: np.ndarray, inside: np.ndarray) -> Compiled:
    """The problem of some leaves, with no statistics but those `inside` (d,) bool."""
    place = np.full(len(compiled.weight), -1, dtype=np.int32)
    place[leaves] = np.arange(len(leaves))
    cells = np.flatnonzero(place[compiled.leaf] >= 0)
    owner = compiled.owner[leaves]
    kept = (owner >= 0) & inside[owner]
    part = compiled.of_cells(cells)
    return replace(
        part,
        leaf=place[part.leaf],
        weight=compiled.weight[leaves],
        allowed=compiled.allowed[leaves],
        owner=np.where(kept, owner, -1),
        coefficient=np.where(kept, compiled.coefficient[leaves], 0.0),
        area=np.where(inside, compiled.area, 0.0),
        first=compiled.first[leaves] if len(compiled.first) else compiled.first,
    )

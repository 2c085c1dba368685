"""Minimal promotion of cells from mean to maximum land, by rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cropalloc.selection.demand import LeafSets


@dataclass
class Land:
    """One kind of land of the cells.

    Attributes
    ----------
    mean, highest : (cells,) float64 hectares, mean <= highest.
    rank : (cells,) int, 1 the best.
    now : (cells,) hectares offered at present; changed by promotion.
    """

    mean: np.ndarray
    highest: np.ndarray
    rank: np.ndarray
    now: np.ndarray

    @property
    def promoted(self) -> np.ndarray:
        """(cells,) bool: cells that offer more than their mean."""
        return self.now > self.mean


@dataclass
class Verdict:
    """What was found in one set of leaves, hectares."""

    demand_ha: float
    mean_ha: float
    highest_ha: float
    before_ha: float
    """Land when the set's turn came: the mean, and what smaller sets had promoted."""
    placeable_ha: float
    """Demand less the slack already foreseen in smaller sets inside this one."""
    promoted_cells: int
    promoted_ha: float
    after_ha: float
    slack_ha: float


def promote_for_demand(
    land: Land,
    cells_of_leaf: list[np.ndarray],
    sets: LeafSets,
    demand: np.ndarray,
    compared: np.ndarray,
    *,
    promote: bool,
    margin_share: float,
    tolerance_share: float,
) -> list[Verdict | None]:
    """Go through the sets, the smallest first, and promote where demand exceeds land.

    Parameters
    ----------
    land : changed in place. cells_of_leaf : positions of the cells of every leaf.
    demand : (sets,) hectares. compared : (sets,) bool, False = the set is passed over.
    margin_share : land wanted beyond the demand. tolerance_share : a lack below is rounding.

    Returns
    -------
    One verdict a set, None where it was not compared.

    Within a set the cells of the best rank are promoted first, all cells of a rank together, and
    no rank more than needed. Smaller sets come first, so what they must promote anyway counts for
    the larger ones; slack of a smaller set is no demand of a larger one (it can move nowhere).
    """
    subsets = sets.subsets()
    slack = np.zeros(len(sets))
    verdicts: list[Verdict | None] = []
    for position in range(len(sets)):
        if not compared[position]:
            verdicts.append(None)
            continue
        leaves = sets.inside[[position], :].indices
        cells = np.concatenate([cells_of_leaf[leaf] for leaf in leaves])
        inner = subsets[[position], :].indices
        placeable = max(demand[position] - float(slack[inner].sum()), 0.0)
        wanted = placeable * (1 + margin_share)
        tolerance = tolerance_share * max(wanted, 1e-300)
        before = float(land.now[cells].sum())
        count, gained = 0, 0.0
        if promote and wanted - before > tolerance:
            count, gained = _promote(land, cells, wanted - before - tolerance)
        after = before + gained
        lack = placeable - after
        slack[position] = lack if lack > tolerance_share * placeable else 0.0
        verdicts.append(
            Verdict(
                demand_ha=float(demand[position]),
                mean_ha=float(land.mean[cells].sum()),
                highest_ha=float(land.highest[cells].sum()),
                before_ha=before,
                placeable_ha=placeable,
                promoted_cells=count,
                promoted_ha=gained,
                after_ha=after,
                slack_ha=float(slack[position]),
            )
        )
    return verdicts


def _promote(land: Land, cells: np.ndarray, needed_ha: float) -> tuple[int, float]:
    """Promote cells by whole ranks until `needed_ha` more is offered; count and hectares."""
    gain = land.highest[cells] - land.now[cells]
    open_cells = gain > 0
    cells, gain = cells[open_cells], gain[open_cells]
    ranks, which = np.unique(land.rank[cells], return_inverse=True)
    by_rank = np.bincount(which, weights=gain, minlength=len(ranks))
    last = int(np.searchsorted(np.cumsum(by_rank), needed_ha))
    chosen = which <= last
    land.now[cells[chosen]] = land.highest[cells[chosen]]
    return int(chosen.sum()), float(gain[chosen].sum())

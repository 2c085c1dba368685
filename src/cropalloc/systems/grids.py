"""Irrigated shares from rasters, averaged over the cells of every target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.export.places import Places
from cropalloc.grid.cellgrid import CellGrid
from cropalloc.settings.systems import ShareGrid
from cropalloc.systems.lookup import Hierarchy
from cropbase.errors import InputError

ALL = "all"


def grid_shares(
    targets: pd.DataFrame,
    *,
    tree: Hierarchy,
    members: pd.DataFrame,
    cells: pd.DataFrame | None,
    grid: ShareGrid,
    year: int,
) -> np.ndarray:
    """Mean share over the cells of each target, else of its unit, else of the nearest ancestor.

    Parameters
    ----------
    targets : targets of one year. members : their leaves. cells : `grid/cells.parquet`.

    Returns (n,) float64, NaN where no cell of any ancestor has a value. A cell weighs by its area,
    or by its cropland; cells that the raster does not know are left out.
    """
    if cells is None:
        raise InputError("shares from a grid need the table of cells")
    crops = set(targets["crop"])
    lacking = sorted(crops - set(grid.rasters)) if ALL not in grid.rasters else []
    if lacking:
        raise InputError(
            f"there is no raster of irrigated shares for {', '.join(lacking)}",
            given=", ".join(sorted(grid.rasters)),
            remedy=f"add them to `irrigated.rasters`, or one raster under the key `{ALL}`",
        )
    where = Places.of(cells, CellGrid.of_cells(cells))
    cells = cells.sort_values("cell_id", kind="stable")
    weight = cells["area_ha"].to_numpy(np.float64)
    if grid.cropland is not None:
        weight = np.nan_to_num(where.mean_of(_of_year(grid.cropland, year)))
    means: dict[str, Means] = {}
    found = np.full(len(targets), np.nan)
    leaves = members.groupby(["crop", "target_id"])["leaf_id"].agg(list)
    rows = zip(targets["crop"], targets["target_id"], targets["unit_id"], strict=True)
    for k, (crop, target, unit) in enumerate(rows):
        name = crop if crop in grid.rasters else ALL
        if name not in means:
            share = where.mean_of(_of_year(grid.rasters[name], year)) * grid.scale
            means[name] = Means(share, weight, cells["leaf_id"], tree)
        found[k] = means[name].of_leaves(leaves.get((crop, target), []))
        if np.isnan(found[k]):
            found[k] = means[name].of_unit(unit)
    return found


class Means:
    """Weighted means of a share of cells over leaves and over units."""

    def __init__(
        self, share: np.ndarray, weight: np.ndarray, leaf_id: pd.Series, tree: Hierarchy
    ) -> None:
        known = np.isfinite(share) & (weight > 0)
        table = pd.DataFrame({"leaf": leaf_id.to_numpy(), "w": weight, "sw": share * weight})[known]
        sums = table.groupby("leaf")[["sw", "w"]].sum()
        self._leaf: Mapping[str, tuple[float, float]] = {
            leaf: (sw, w) for leaf, sw, w in sums.itertuples()
        }
        self._tree = tree
        self._unit: dict[str, tuple[float, float]] = {}
        for leaf, (sw, w) in self._leaf.items():
            for unit in tree.upwards(leaf):
                a, b = self._unit.get(unit, (0.0, 0.0))
                self._unit[unit] = (a + sw, b + w)

    def of_leaves(self, leaves: list[str]) -> float:
        """Mean over the cells of some leaves, NaN if no cell is known."""
        pairs = [self._leaf[leaf] for leaf in leaves if leaf in self._leaf]
        weight = sum(w for _, w in pairs)
        return sum(sw for sw, _ in pairs) / weight if weight > 0 else np.nan

    def of_unit(self, unit: str) -> float:
        """Mean over the cells of a unit or its nearest ancestor with known cells, else NaN."""
        for at in self._tree.upwards(unit):
            if at in self._unit:
                sw, w = self._unit[at]
                return sw / w
        return np.nan


def _of_year(path: Path, year: int) -> Path:
    return Path(str(path).replace("{year}", str(year)))

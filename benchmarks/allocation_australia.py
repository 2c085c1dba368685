"""The real Australian case as an allocation problem in the general form, for the benchmark.

Reads `australia/` of the data root in the plainest way: land is the maximum over the sources,
statistics are harmonised as docs/allocation.md, section 2, scores are the suitability rasters. The
workflow does the same with audits, ranks and prices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from cropalloc.allocation.problem import AllocationProblem, Demand
from cropbase.areas import row_pixel_areas_ha


def _band(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1).astype(np.float64)


def _maximum(folder: Path) -> np.ndarray:
    return np.nanmax(np.stack([np.nan_to_num(_band(p)) for p in sorted(folder.glob("*.tif"))]), 0)


def _targets(
    table: pd.DataFrame, crop: str, tree: pd.DataFrame, *, states_only: bool
) -> list[tuple[str, list, float]]:
    """(unit or residual, level-2 units, harvested hectares) of one crop, top-down."""
    value = table.set_index("adm_code")[crop].replace(-999, np.nan)
    found: list[tuple[str, list[str], float]] = []

    def descend(unit: str, area: float, children: pd.Series, leaves: dict[str, list[str]]) -> None:
        known = value.reindex(children).dropna()
        missing = [child for child in children if child not in known.index]
        total = float(known.sum())
        if (not missing and total > 0) or total > area:
            known = known * area / total
        for child, part in known.items():
            if states_only or leaves[child] == [child]:
                found.append((child, leaves[child], float(part)))
            else:
                below = pd.Series(leaves[child])
                descend(child, float(part), below, {leaf: [leaf] for leaf in below})
        if missing:
            rest = max(0.0, area - float(known.sum()))
            joined = [leaf for child in missing for leaf in leaves[child]]
            found.append((f"{unit}~rest", joined, rest if rest > 1e-9 * area else 0.0))

    by_state = {state: list(part) for state, part in tree.groupby("adm1_code")["adm2_code"]}
    nation = str(tree["adm0_code"].iloc[0])
    descend(nation, float(value[nation]), pd.Series(sorted(by_state)), by_state)
    return found


def australia(
    root: Path, *, minimum_share: float = 0.35, states_only: bool = False
) -> AllocationProblem:
    """The problem of the cells with more cropland than `minimum_share`.

    With `states_only` statistics of the nation and the states count alone, so that some are of a
    few square metres for a whole state.

    Raises FileNotFoundError where the data are absent.
    """
    folder = root / "australia"
    with rasterio.open(folder / "grid_5min_2010_AUS.tif") as source:
        grid, transform = source.read(1), source.transform
    area = np.repeat(row_pixel_areas_ha(transform, grid.shape[0])[:, None], grid.shape[1], axis=1)
    cropland = _maximum(folder / "cropland") * area
    irrigated = np.minimum(_maximum(folder / "irrigated") * area, cropland)
    table = pd.read_csv(folder / "statistics/ha_adm_2010_AUS.csv")
    cells = pd.read_csv(folder / "statistics/adm_grid_2010_AUS.csv").set_index("gridID")
    here = np.isfinite(grid) & (cropland > minimum_share * area) & np.isin(grid, cells.index)
    place = cells.loc[grid[here]]
    tree = place[["adm0_code", "adm1_code", "adm2_code"]].drop_duplicates()
    tree = tree.sort_values("adm2_code").reset_index(drop=True)
    leaf_code = {leaf: code for code, leaf in enumerate(tree["adm2_code"])}
    share = pd.read_csv(folder / "statistics/ps_adm_2010_AUS.csv").query("adm_level == 0")
    intensity = pd.read_csv(folder / "statistics/ci_adm_2010_AUS.csv").query("adm_level == 0")
    share, intensity = share.set_index("system"), intensity.set_index("system")
    activities, demands, scores = [], [], []
    for crop in sorted(set(table.columns) - {"adm_name", "adm_code", "adm_level"}):
        part = {"I": share.loc["I", crop], "H": share.loc["H", crop], "L": share.loc["L", crop]}
        part["L"] += share.loc["S", crop]
        systems = tuple(system for system in "IHL" if part[system] > 1e-6)
        rate = tuple(float(intensity.loc[system, crop]) for system in systems)
        targets = _targets(table, crop, tree, states_only=states_only)
        whole = sum(value for _, _, value in targets)
        if whole == 0:
            continue
        for system, harvests in zip(systems, rate, strict=True):
            score = _band(folder / f"suitability/{crop}_{system}_bs_5min_2010_AUS.tif")[here]
            activities.append((crop, system))
            scores.append(np.clip(score, 0, 100).astype(np.float32))
            known = part[system] / sum(part[s] for s in systems)
            if len(systems) > 1:  # else the total repeats the targets
                demands.append(
                    Demand(crop, (system,), "AU0", np.arange(len(tree)), whole * known / harvests)
                )
        for unit, leaves, value in targets:
            codes = [leaf_code[leaf] for leaf in leaves]
            demands.append(Demand(crop, systems, unit, np.array(codes), value, rate))
    return AllocationProblem(
        cell_id=np.flatnonzero(here.ravel()).astype(np.int64),
        leaf=place["adm2_code"].map(leaf_code).to_numpy(dtype=np.int32),
        leaf_ids=tuple(tree["adm2_code"]),
        cropland_ha=cropland[here],
        irrigated_ha=irrigated[here],
        activities=tuple(activities),
        scores=np.array(scores),
        demands=tuple(demands),
    )

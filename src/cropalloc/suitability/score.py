"""Rule `score_suitability`: a score of every cell for every activity that is needed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropalloc.grid.cellgrid import read_cells
from cropalloc.grid.completeness import require_cells
from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.statistics.crops import Concordance, read_concordance
from cropalloc.suitability.access import Surroundings, read_surroundings
from cropalloc.suitability.activities import Activity, name_of, parse, raster_path, read_activity
from cropalloc.suitability.needs import Needs, read_needs
from cropalloc.suitability.prices import read_prices
from cropalloc.suitability.rasters import CellSampler
from cropalloc.suitability.scaling import market_score, scale_min_max
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

UNIFORM = "uniform"


def score_suitability(
    *,
    cells: str | Path,
    synergy: str | Path,
    suitability: SuitabilitySettings,
    crops_file: str | Path,
    areas: str | Path,
    members: str | Path,
    year: int,
    scores_path: str | Path,
    report_path: str | Path,
) -> None:
    """Write scores/{year}.parquet and a report (CSV), a row an activity and a row a poor target.

    The table has a row for every cell that any source sees cropland in (no other can be allocated
    to), and a float32 column `<crop>_<system>` for every activity with a physical area in `areas`
    at `year`: 0-100, missing = never. Eq. 8 for I and H, Eq. 10 for L, scaled over these cells.

    Raises InputError if a raster or a price is missing, if a raster does not cover the cells, or
    if an activity has no score above 0 in any leaf where it is needed, unless a fallback is
    configured.
    """
    table, grid = read_cells(cells)
    land = read_table(synergy, columns=["cell_id", "cropland_mean_ha", "cropland_max_ha"])
    require_cells(land, table["cell_id"], stage="combine_cropland", path=synergy)
    table = table.merge(land, on="cell_id", how="left", validate="one_to_one")
    table = table[table["cropland_max_ha"] > 0].sort_values("cell_id", ignore_index=True)
    if table.empty:
        raise InputError(
            f"no cell has cropland in {year}", remedy="look at the report of combine_cropland"
        )
    concordance = read_concordance(crops_file)
    leaf_ids = sorted(table["leaf_id"].unique())
    needs = read_needs(read_table(areas), read_table(members), year, leaf_ids)
    sampler = CellSampler(table, grid, suitability.strip_rows, suitability.min_cover_share)
    scorer = Scorer(table, needs, suitability, concordance, sampler, year)
    scores, report = scorer.run()
    write_table(scores, scores_path)
    with atomic_path(report_path) as temporary:
        pd.DataFrame(report).to_csv(temporary, index=False)


class Scorer:
    """Scores of the cells with cropland at one node year.

    Parameters
    ----------
    cells : columns cell_id, area_ha, leaf_id, cropland_mean_ha, row, col, lon, lat.
    """

    def __init__(
        self,
        cells: pd.DataFrame,
        needs: Needs,
        settings: SuitabilitySettings,
        concordance: Concordance,
        sampler: CellSampler,
        year: int,
    ) -> None:
        self.cells = cells
        self.needs = needs
        self.settings = settings
        self.concordance = concordance
        self.sampler = sampler
        self.year = year
        self.leaf = cells["leaf_id"].map(needs.leaves).to_numpy()
        self.paths: dict[Activity, Path | None] = {}
        self.faults: dict[Activity, str] = {}
        self.values: dict[Activity, np.ndarray] = {}
        self.notes: dict[Activity, list[str]] = {}
        self.prices: dict[str, float] = {}
        self.lost: list[str] = []

    def run(self) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
        """The table of scores and the rows of the report."""
        wanted = self._with_fallbacks()
        for activity in progress(wanted, what=f"suitability of {self.year}", unit="activities"):
            self._load(activity)
        self._to_revenue()
        around = read_surroundings(self.settings, self.sampler, self.year)
        own = {activity: self._score(activity, around) for activity in list(self.values)}
        self.values = {}
        for activity, score in own.items():
            if activity in self.needs.targets and not self._any_above_zero(activity, score):
                self.faults[activity] = "all its scores are zero or missing where it is needed"
        scores = {name_of(a): self._resolve(a, own) for a in self.needs.activities}
        self._complain()
        columns, rows, poor = {}, [], []
        for activity in self.needs.activities:
            name = name_of(activity)
            masked = around.masked(activity[1], scores[name])
            poor += self._fill_targets(activity, masked, around.never[activity[1]])
            columns[name] = masked
            rows.append(self._describe(activity, masked))
        result = pd.DataFrame({"cell_id": self.cells["cell_id"], **columns})
        return result, [*around.report, *rows, *poor]

    def _with_fallbacks(self) -> list[Activity]:
        """The needed activities and those that their fallbacks lead to."""
        wanted = list(self.needs.activities)
        for activity in wanted:
            other = self.settings.fallbacks.get(name_of(activity))
            if other is not None and other != UNIFORM and parse(other) not in wanted:
                wanted.append(parse(other))  # is visited in its turn
        named = [parse(name) for pair in self.settings.fallbacks.items() for name in pair]
        for crop in sorted({crop for crop, _ in [*wanted, *named] if crop}):
            self.concordance.name(crop, "spam")  # raises for a crop that is not there
        return wanted

    def _load(self, activity: Activity) -> None:
        path = raster_path(activity, self.settings, self.concordance, self.year)
        self.paths[activity] = path
        self.notes[activity] = []
        if path is None:
            key = "suitability_index" if activity[1] == "L" else "potential_yield"
            self.faults[activity] = f"suitability.{key} is not configured"
        elif not path.is_file():
            self.faults[activity] = f"there is no raster {path}"
        else:
            self.values[activity] = read_activity(
                activity, path, self.settings, self.concordance, self.sampler
            )

    def _to_revenue(self) -> None:
        """Eq. 9, scaled to 0-100 in place; L keeps its index."""
        market = [activity for activity in self.values if activity[1] != "L"]
        crops = sorted({crop for crop, _ in market})
        taken: dict[str, str] = {}
        if self.settings.prices is not None and crops:
            self.prices, taken = read_prices(
                self.settings.prices, self.concordance, crops, self.year
            )
        pools: dict[Any, list[Activity]] = {}
        for activity in market:
            crop = activity[0]
            self.values[activity] = self.values[activity] * np.float32(self.prices.get(crop, 1.0))
            if crop in taken:
                self.notes[activity].append(f"price of {taken[crop]}")
            pool = {"all": "all", "crop": crop, "activity": activity}
            pools.setdefault(pool[self.settings.revenue_scaling], []).append(activity)
        for pool in pools.values():
            known = [v[np.isfinite(v)] for v in (self.values[a] for a in pool)]
            known = [v for v in known if len(v)]
            if not known:
                continue
            low = min(float(v.min()) for v in known)
            high = max(float(v.max()) for v in known)
            for activity in pool:
                self.values[activity] = scale_min_max(self.values[activity], low, high)

    def _score(self, activity: Activity, around: Surroundings) -> np.ndarray:
        values = self.values[activity]
        if activity[1] == "L":
            return values.astype(np.float32)
        return market_score(around.access, values)

    def _any_above_zero(self, activity: Activity, score: np.ndarray) -> bool:
        asked = self.needs.everywhere(activity)[self.leaf]
        # Leaves without cells or cropland have nothing to score: selection reports them.
        return not asked.any() or bool(np.any(score[asked] > 0))

    def _resolve(self, activity: Activity, own: dict[Activity, np.ndarray]) -> np.ndarray:
        """The score of a needed activity, by its fallbacks where its own is unusable.

        An activity without any usable score goes to `lost`, and is missing everywhere.
        """
        chain = [activity]
        faults = [f"{name_of(activity)}: {self.faults.get(activity, '')}"]
        while True:
            here = chain[-1]
            if here not in self.faults:
                if len(chain) == 1:
                    return own[here]
                if self._any_above_zero(activity, own[here]):
                    self._note(activity, name_of(here))
                    return own[here].copy()
                faults.append(f"{name_of(here)}: all its scores are zero or missing there")
            elif len(chain) > 1:
                faults.append(f"its fallback {name_of(here)}: {self.faults[here]}")
            other = self.settings.fallbacks.get(name_of(here), self.settings.default_fallback)
            if other is None:
                self.lost.append(", ".join(faults))
                return np.full(len(self.cells), np.nan, dtype=np.float32)
            if other == UNIFORM:
                self._note(activity, UNIFORM)
                share = self.cells["cropland_mean_ha"] / self.cells["area_ha"]
                return (100.0 * share).to_numpy(np.float32)
            if parse(other) in chain:
                raise InputError(
                    f"the fallbacks of {name_of(activity)} lead in a circle",
                    given=" -> ".join([name_of(link) for link in chain] + [other]),
                    remedy="let one of them fall back to `uniform`",
                )
            chain.append(parse(other))

    def _note(self, activity: Activity, fallback: str) -> None:
        note = f"{self.faults[activity]}: fallback {fallback}"
        self.notes[activity].append(note)
        log.warning("%s: %s", name_of(activity), note)

    def _complain(self) -> None:
        """Raise one error for all activities that have neither scores nor a usable fallback."""
        if self.lost:
            raise InputError(
                f"{len(self.lost)} activity(ies) of {self.year} cannot be scored",
                given="; ".join(self.lost[:10])
                + (f"; and {len(self.lost) - 10} more" * (len(self.lost) > 10)),
                remedy="mend the rasters, or declare a fallback for each under "
                f"suitability.fallbacks, e.g. `{self.lost[0].partition(':')[0]}: uniform` or "
                "another activity such as wheat_H",
            )

    def _fill_targets(
        self, activity: Activity, score: np.ndarray, never: np.ndarray
    ) -> list[dict[str, Any]]:
        """Find targets in whose cells the activity can never be; allow it with 0 if so set."""
        n_leaves = len(self.needs.leaves)
        possible = np.bincount(self.leaf[~np.isnan(score)], minlength=n_leaves)
        free = np.bincount(self.leaf[~never], minlength=n_leaves)
        rows = []
        for target, leaves in self.needs.targets[activity].items():
            if not len(leaves) or possible[leaves].sum():
                continue
            fill = self.settings.target_without_score == "zero" and free[leaves].sum() > 0
            if fill:
                score[np.isin(self.leaf, leaves) & ~never] = 0.0
            sentence = (
                "it can never grow there by its rasters: allowed with score 0"
                if fill
                else "it can never grow there: its area will be slack"
            )
            rows.append({"item": name_of(activity), "target_id": target, "sentence": sentence})
        return rows

    def _describe(self, activity: Activity, score: np.ndarray) -> dict[str, Any]:
        known = score[~np.isnan(score)]
        path = self.paths[activity]
        return {
            "item": name_of(activity),
            "target_id": None,
            "raster": path.name if path else None,
            "price": self.prices.get(activity[0]) if activity[1] != "L" else None,
            "dry_matter_share": self.concordance.crops[activity[0]].dry_matter_share,
            "cells": len(score),
            "cells_never": int(np.isnan(score).sum()),
            "cells_zero": int((known == 0).sum()),
            "mean_score": round(float(known.mean(dtype=float)), 4) if len(known) else None,
            "max_score": round(float(known.max()), 4) if len(known) else None,
            "sentence": "; ".join(self.notes[activity]),
        }

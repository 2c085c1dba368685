"""Shares of the three systems in every target, and every share that had to be cut (Eq. 3-6)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cropalloc.settings.systems import ShareGrid, SystemsSettings, UnitTable
from cropalloc.statistics.crops import Concordance
from cropalloc.systems.grids import grid_shares
from cropalloc.systems.lookup import Hierarchy, Values, nearest, values_of
from cropalloc.systems.tables import SYSTEMS, read_unit_table
from cropbase.errors import InputError

_ROUNDING = 1e-9


@dataclass
class Clips:
    """The shares that were cut, a row each: before, after and why."""

    year: int
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(
        self, unit: str, crop: str, system: str, before: float, after: float, reason: str
    ) -> None:
        """Note one cut."""
        self.rows.append(
            {
                "unit_id": unit,
                "crop": crop,
                "year": self.year,
                "system": system,
                "before": before,
                "after": after,
                "reason": reason,
            }
        )


def shares_of_targets(
    targets: pd.DataFrame,
    *,
    tree: Hierarchy,
    members: pd.DataFrame,
    cells: pd.DataFrame | None,
    systems: SystemsSettings,
    year: int,
    concordance: Concordance | None,
) -> tuple[np.ndarray, Clips]:
    """Shares of I, H and L of the targets of one year.

    Returns (n, 3) float64, each row within 0-1 and summing to 1 but for rounding, and the cuts.
    Raises InputError naming crop and units where a share is not known, or far out of 0-1.
    """
    clips = Clips(year)
    crops = sorted(targets["crop"].unique())

    def read(table: UnitTable, what: str) -> pd.DataFrame:
        return read_unit_table(
            table, what=what, year=year, levels=tree.levels, crops=crops, concordance=concordance
        )

    if systems.shares is not None:
        known = _full_shares(read(systems.shares, "system shares"), systems, clips)
        found = [nearest(known, tree, t.unit_id, t.crop) for t in targets.itertuples()]
        _none_missing(targets, [value is None for value in found], "shares of the systems")
        return np.array(found, dtype=np.float64).reshape(-1, 3), clips
    if isinstance(systems.irrigated, ShareGrid):
        irrigated = grid_shares(
            targets, tree=tree, members=members, cells=cells, grid=systems.irrigated, year=year
        )
    elif systems.irrigated is not None:
        values = _irrigated_values(read(systems.irrigated, "irrigated shares"))
        irrigated = _each(values, tree, targets)
    else:
        irrigated = np.full(len(targets), np.nan)
    irrigated = _default(irrigated, systems.default_irrigated_share)
    _none_missing(targets, np.isnan(irrigated), "irrigated share (`default_irrigated_share`)")
    irrigated = _within(irrigated, targets, systems.share_tolerance, clips)
    ratio = np.full(len(targets), np.nan)
    if systems.fertiliser is not None and systems.recommended is not None:
        applied = read(systems.fertiliser, "fertiliser rates")
        advised = read(systems.recommended, "recommended rates")
        rate = _each(values_of(_no_system(applied, "fertiliser")), tree, targets)
        norm = _each(values_of(_no_system(advised, "recommended")), tree, targets)
        if np.any(norm == 0):
            row = targets[norm == 0].iloc[0]
            raise InputError(
                f"the recommended fertiliser of {row.crop} in {row.unit_id} is 0 kg/ha",
                remedy="give the recommendation, or leave it empty where there is none",
            )
        ratio = rate / norm
    ratio = _default(ratio, systems.default_high_input_ratio)
    _none_missing(
        targets, np.isnan(ratio), "fertiliser rate and its recommendation "
        "(`default_high_input_ratio`)"
    )  # fmt: skip
    high = np.minimum(ratio, 1 - irrigated)
    for k in np.flatnonzero(ratio > high + _ROUNDING):
        row = targets.iloc[k]
        reason = "applied / recommended fertiliser exceeds the rainfed share (Eq. 4-6)"
        clips.add(row.unit_id, row.crop, "H", float(ratio[k]), float(high[k]), reason)
    return np.column_stack([irrigated, high, 1 - irrigated - high]), clips


def _full_shares(
    table: pd.DataFrame, systems: SystemsSettings, clips: Clips
) -> dict[tuple[str, str], np.ndarray]:
    """(unit, crop) -> (3,) shares of I, H, L (S merged into L), cut and scaled to sum to 1.

    A single missing share is what the others leave; where more are missing the unit is unknown,
    unless the others sum to 1.
    """
    wide = table.pivot(index=["unit_id", "crop"], columns="system", values="value")
    wide = wide.reindex(columns=["I", "H", "L", "S"])
    low = wide[["L", "S"]].sum(axis=1, min_count=1)
    known = pd.DataFrame({"I": wide["I"], "H": wide["H"], "L": low})
    found = {}
    tolerance = systems.share_tolerance
    for (unit, crop), row in zip(known.index, known.to_numpy(), strict=True):
        total, lacking = np.nansum(row), np.isnan(row)
        if lacking.sum() > 1 and abs(total - 1) > _ROUNDING:
            continue
        if lacking.any():
            if lacking.sum() == 1 and total <= 1 + tolerance:
                row = np.where(lacking, max(1 - total, 0.0), row)
            row = np.nan_to_num(row)
            total = row.sum()
        if total == 0:
            continue  # all zero stands for "not grown here", which is no share
        if abs(total - 1) > tolerance:
            raise InputError(
                f"the system shares of {crop} in {unit or 'all units'} sum to {total:.6g}",
                given=", ".join(f"{s} {v:.6g}" for s, v in zip(SYSTEMS, row, strict=True)),
                allowed=f"1, or within {tolerance:g} of it",
                remedy="mend the table, or set `scale` (0.01 for percent)",
            )
        scaled = row / total
        if abs(total - 1) > _ROUNDING:
            for system, before, after in zip(SYSTEMS, row, scaled, strict=True):
                if before != after:
                    reason = f"the shares sum to {total:.9g}; scaled to 1"
                    clips.add(unit, crop, system, float(before), float(after), reason)
        found[unit, crop] = scaled
    return found


def _irrigated_values(table: pd.DataFrame) -> Values:
    """Irrigated shares from a table with systems (rows of I) or without."""
    return values_of(table, "I") | values_of(table)


def _no_system(table: pd.DataFrame, key: str) -> pd.DataFrame:
    if len(table) and (table["system"] != "").any():
        raise InputError(
            f"the table of `{key}` differs by system", remedy="set its `system_column` to null"
        )
    return table


def _each(values: Values, tree: Hierarchy, targets: pd.DataFrame) -> np.ndarray:
    """(n,) float64: the value of each target's unit or nearest ancestor, NaN if none."""
    pairs = zip(targets["unit_id"], targets["crop"], strict=True)
    found = [nearest(values, tree, unit, crop) for unit, crop in pairs]
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)


def _default(values: np.ndarray, default: float | None) -> np.ndarray:
    return values if default is None else np.where(np.isnan(values), default, values)


def _none_missing(targets: pd.DataFrame, missing, what: str) -> None:
    """Raise one InputError for all targets without a value, by crop."""
    missing = np.asarray(missing, dtype=bool)
    if not missing.any():
        return
    units = defaultdict(list)
    for row in targets[missing].itertuples():
        units[row.crop].append(row.unit_id)
    lines = [
        f"{crop}: {', '.join(sorted(set(at))[:5])}{', ...' if len(set(at)) > 5 else ''}"
        for crop, at in sorted(units.items())
    ]
    raise InputError(
        f"{int(missing.sum())} target(s) have no {what}, nor has any unit above them",
        given="; ".join(lines[:20]),
        remedy="add the values to the table, at the nation if need be, or set a default",
    )


def _within(
    irrigated: np.ndarray, targets: pd.DataFrame, tolerance: float, clips: Clips
) -> np.ndarray:
    """Irrigated shares within 0-1; what is cut is noted, what is far out is an error."""
    far = (irrigated < -tolerance) | (irrigated > 1 + tolerance)
    if far.any():
        row = targets[far].iloc[0]
        raise InputError(
            f"the irrigated share of {row.crop} in {row.unit_id} is {irrigated[far][0]:.6g}",
            allowed="0 to 1",
            remedy="set `scale` (0.01 for percent) or mend the source",
        )
    cut = np.clip(irrigated, 0.0, 1.0)
    for k in np.flatnonzero(np.abs(irrigated - cut) > 0):
        row = targets.iloc[k]
        reason = "irrigated share outside 0-1"
        clips.add(row.unit_id, row.crop, "I", float(irrigated[k]), float(cut[k]), reason)
    return cut

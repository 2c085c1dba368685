"""Rule `classify_systems`: harvested and physical area of every target, crop and system."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.grid.cellgrid import read_cells
from cropalloc.settings.systems import SystemsSettings
from cropalloc.statistics.crops import Concordance, read_concordance
from cropalloc.systems.lookup import Hierarchy, nearest, values_of
from cropalloc.systems.shares import Clips, shares_of_targets
from cropalloc.systems.split import split_exactly
from cropalloc.systems.tables import SYSTEMS, read_unit_table
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

TARGET_COLUMNS = ["target_id", "crop", "year", "unit_id", "harvested_ha"]
CLIP_COLUMNS = ["unit_id", "crop", "year", "system", "before", "after", "reason"]


def classify_systems(
    *,
    targets: Path,
    members: Path,
    units: Path,
    cells: Path | None,
    systems: SystemsSettings,
    areas_path: Path,
    clips_path: Path,
    crops_path: Path | None = None,
) -> pd.DataFrame:
    """Split every target into irrigated, high-input and low-input rainfed area (Eq. 3-7).

    Parameters
    ----------
    targets, members, units : tables of `harmonise_statistics` and `read_statistics`.
    cells : table of `prepare_cells`; needed where shares come from a grid, else it may be None.
    areas_path : Parquet, written: a row a target and system, sorted by year, crop, target and
        system (I, H, L): `target_id, crop, year, system, share, intensity, harvested_ha,
        physical_ha`. The harvested areas of a target sum to its statistic exactly (`split_exactly`)
        and physical = harvested / intensity.
    clips_path : CSV, written: every share that was cut (see `shares_of_targets`).
    crops_path : `config/crops.yaml`; without it the user's tables must use crop ids.

    The share of a residual is that of the unit whose rest it is. Rates and shares are looked up at
    the unit, else at its nearest ancestor. As HA cancels in Eq. 3-5, the high-input share is the
    ratio of the rates; it is cut to what irrigation leaves (Eq. 6 never turns negative).

    Raises InputError for what cannot be read, a share or rate that is nowhere to be found and has
    no default, and shares far out of 0-1.
    """
    table = read_table(targets)
    lacking = [name for name in TARGET_COLUMNS if name not in table]
    if lacking:
        raise InputError(f"table {targets} has no column {', '.join(lacking)}")
    bad = ~(table["harvested_ha"] >= 0)
    if bad.any():
        row = table[bad].iloc[0]
        raise InputError(
            f"the area of {row.crop} in target {row.target_id} ({row.year}) is no area",
            given=f"{row.harvested_ha} ha",
            remedy="harmonise the statistics anew",
        )
    concordance = read_concordance(crops_path) if crops_path is not None else None
    tree = Hierarchy(read_table(units))
    covers = read_table(members)
    where = read_cells(cells)[0] if cells is not None else None
    parts, clips = [], []
    years = sorted(int(year) for year in table["year"].unique())
    for year in progress(years, what="production systems", unit="years"):
        of_year = table[table["year"] == year].sort_values(["crop", "target_id"])
        part, cut = _one_year(
            of_year.reset_index(drop=True),
            tree=tree,
            members=covers[covers["year"] == year],
            cells=where,
            systems=systems,
            year=year,
            concordance=concordance,
        )
        parts.append(part)
        clips += cut.rows
    areas = pd.concat(parts, ignore_index=True)
    write_table(areas, areas_path)
    listed = pd.DataFrame(clips, columns=CLIP_COLUMNS)
    with atomic_path(clips_path) as path:
        listed.sort_values(["year", "crop", "unit_id", "system"], kind="stable").to_csv(
            path, index=False, lineterminator="\n", float_format="%.12g"
        )
    if len(listed):
        log.warning("%d share(s) were cut, see %s", len(listed), clips_path)
    return areas


def _one_year(
    targets: pd.DataFrame,
    *,
    tree: Hierarchy,
    members: pd.DataFrame,
    cells: pd.DataFrame | None,
    systems: SystemsSettings,
    year: int,
    concordance: Concordance | None,
) -> tuple[pd.DataFrame, Clips]:
    """Areas of the targets of one year and the cuts."""
    shares, clips = shares_of_targets(
        targets,
        tree=tree,
        members=members,
        cells=cells,
        systems=systems,
        year=year,
        concordance=concordance,
    )
    harvested = split_exactly(targets["harvested_ha"].to_numpy(np.float64), shares)
    intensity = _intensities(targets, tree, systems, year, concordance, clips)
    n = len(targets)
    repeated = targets.loc[targets.index.repeat(3), ["target_id", "crop", "year"]]
    return repeated.reset_index(drop=True).assign(
        system=list(SYSTEMS) * n,
        share=shares.ravel(),
        intensity=intensity.ravel(),
        harvested_ha=harvested.ravel(),
        physical_ha=(harvested / intensity).ravel(),
    ), clips


def _intensities(
    targets: pd.DataFrame,
    tree: Hierarchy,
    systems: SystemsSettings,
    year: int,
    concordance: Concordance | None,
    clips: Clips,
) -> np.ndarray:
    """(n, 3) float64 cropping intensities, harvested / physical area, of I, H and L."""
    found = np.full((len(targets), 3), systems.default_intensity)
    if systems.intensity is None:
        return found
    table = read_unit_table(
        systems.intensity,
        what="cropping intensity",
        year=year,
        levels=tree.levels,
        crops=sorted(targets["crop"].unique()),
        concordance=concordance,
    )
    if (table["value"] == 0).any():
        row = table[table["value"] == 0].iloc[0]
        raise InputError(
            f"the cropping intensity of {row.crop} in {row.unit_id or 'all units'} is 0",
            allowed="above 0, harvests a year",
            remedy="mend it, or leave it empty where the crop is not grown",
        )
    any_system = values_of(table)
    unknown: set[str] = set()
    for k, system in enumerate(SYSTEMS):
        values = any_system | values_of(table, system)
        if system == "L":
            values = any_system | _low_input(table, clips)
        for i, row in enumerate(targets.itertuples()):
            value = nearest(values, tree, row.unit_id, row.crop)
            if value is not None:
                found[i, k] = value
            else:
                unknown.add(f"{row.crop}_{system}")
    if unknown:
        log.warning(
            "%d: no cropping intensity of %s in some targets; systems.default_intensity %g holds",
            year, ", ".join(sorted(unknown)), systems.default_intensity,
        )  # fmt: skip
    return found


def _low_input(table: pd.DataFrame, clips: Clips) -> dict[tuple[str, str], float]:
    """Intensity of L, or of S where L has none; where they differ that of L holds and it is told.

    S is merged into L, but intensities do not add: a mean needs the areas of S, which are gone.
    """
    low, subsistence = values_of(table, "L"), values_of(table, "S")
    for key in sorted(set(low) & set(subsistence)):
        if low[key] != subsistence[key]:
            reason = "intensity of S differs from that of L, into which it is merged; L holds"
            clips.add(*key, "L", subsistence[key], low[key], reason)
    return subsistence | low

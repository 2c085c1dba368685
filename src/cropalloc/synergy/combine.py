"""Rule `combine_cropland`: mean, maximum, agreement and rank of cropland and irrigated land."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropalloc.grid.cellgrid import CellGrid, read_cells
from cropalloc.settings.synergy import LandSettings, SynergySettings
from cropalloc.synergy.ranks import default_ranks, rank_by_bits, read_ranks
from cropalloc.synergy.sources import SourceMap
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import write_table

log = logging.getLogger(__name__)


def combine_cropland(
    *,
    cells: str | Path,
    synergy: SynergySettings,
    year: int,
    synergy_path: str | Path,
    report_path: str | Path,
) -> None:
    """Write synergy/{year}.parquet and a report (CSV) of what each source gave.

    A source without a usable pixel in a cell has no opinion there; if none has one the cell's
    hectares are missing. Where sources look and none sees land, the hectares are 0 and the rank is
    missing. Irrigated land never exceeds cropland afterwards, neither in the mean nor in the
    maximum.

    Raises InputError if a source has no file, no CRS, impossible values or covers no cell, or if
    a score table is incomplete.
    """
    table, grid = read_cells(cells, ["cell_id", "row", "col", "area_ha"])
    cropland, report = combine_land(table, grid, synergy.cropland, year, "cropland", synergy)
    if synergy.irrigated is None:
        irrigated = _no_land(cropland)
        report.append(_row("irrigated", "all", "sources", 0, "", "no cell has irrigated land"))
    else:
        irrigated, more = combine_land(table, grid, synergy.irrigated, year, "irrigated", synergy)
        report += more
    report += _nest(cropland, irrigated, synergy)
    combined = pd.DataFrame({"cell_id": table["cell_id"]})
    for name, land in (("cropland", cropland), ("irrigated", irrigated)):
        for part in ("mean_ha", "max_ha", "agreement", "rank"):
            combined[f"{name}_{part}"] = land[part].to_numpy()
        combined[f"{name}_rank"] = land["rank"].array
        for part in ("mean_ha", "max_ha"):
            total = float(np.nansum(land[part]))
            report.append(_row(name, "combined", part, total, "ha", "sum over the cells"))
    write_table(combined, synergy_path)
    with atomic_path(report_path) as temporary:
        pd.DataFrame(report).to_csv(temporary, index=False)


def combine_land(
    cells: pd.DataFrame,
    grid: CellGrid,
    settings: LandSettings,
    year: int,
    land: str,
    synergy: SynergySettings,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Combine the sources of one kind of land.

    Parameters
    ----------
    cells : columns row, col, area_ha, sorted by row.

    Returns
    -------
    A table with a row a cell: mean_ha, max_ha (float64, NaN = no source looked), agreement
    (int16, sources that see land), rank (Int16, missing where none does); and report rows.
    """
    used = [s for s in settings.sources if s.years is None or year in s.years]
    if not used:
        raise InputError(
            f"synergy.{land}: no source has the year {year}",
            remedy="add the year to the `years` of a source, or a source",
        )
    names = [source.name for source in settings.sources]
    ranks = (
        default_ranks(names)
        if settings.score_table is None
        else read_ranks(settings.score_table, names)
    )
    maps = [SourceMap(source, year) for source in used]
    by_bits = rank_by_bits(ranks, [source.name for source in used])
    row, col = cells["row"].to_numpy(), cells["col"].to_numpy()
    area = cells["area_ha"].to_numpy()
    result = {
        "mean_ha": np.full(len(cells), np.nan),
        "max_ha": np.full(len(cells), np.nan),
        "agreement": np.zeros(len(cells), dtype=np.int16),
        "rank": np.zeros(len(cells), dtype=np.int16),
    }
    looked = np.zeros((len(maps), 2))
    starts = range(0, grid.rows, synergy.strip_rows)
    for start in progress(starts, what=f"{land} of {year}", unit="strip"):
        first, last = np.searchsorted(row, [start, start + synergy.strip_rows])
        if first == last:
            continue
        strip = grid.strip(start, start + synergy.strip_rows)
        here = (row[first:last] - start, col[first:last])
        hectares = np.stack([source.hectares(strip)[here] for source in maps])
        part = agree(hectares, area[first:last], settings.sees_above_share, by_bits)
        for key, values in part.items():
            result[key][first:last] = values
        looked[:, 0] += np.isfinite(hectares).sum(axis=1)
        looked[:, 1] += np.nansum(hectares, axis=1)
    for source, (count, _total) in zip(maps, looked, strict=True):
        if not count:
            raise InputError(
                f"source {source.source.name} covers none of the {len(cells)} cells",
                given=", ".join(source.told.files[:3]),
                remedy="check the region and the coordinate reference system of its files",
            )
    table = pd.DataFrame(result)
    table["rank"] = table["rank"].astype("Int16").mask(table["rank"] == 0)
    return table, _report(land, settings, year, maps, looked, table)


def agree(
    hectares: np.ndarray, area_ha: np.ndarray, sees_above_share: float, rank_of_bits: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean, maximum, agreement and rank over the sources that see land in a cell.

    Parameters
    ----------
    hectares : (sources, cells) float64, NaN = no opinion.
    area_ha : (cells,) areas of the cells.
    sees_above_share : a source sees land if it has more than this share of the cell.
    rank_of_bits : (2 ** sources,), see `rank_by_bits`.

    Returns
    -------
    mean_ha, max_ha (NaN where every source is NaN, 0 where none sees land), agreement, rank
    (0 where none sees land), each (cells,).
    """
    sees = np.nan_to_num(hectares) > sees_above_share * area_ha
    count = sees.sum(axis=0)
    land = np.where(sees, hectares, 0.0)
    mean = land.sum(axis=0) / np.maximum(count, 1)
    # No rounding may put the mean above the maximum.
    largest = np.minimum(land.max(axis=0), area_ha)
    blind = np.isnan(hectares).all(axis=0)
    bits = (sees * (1 << np.arange(len(hectares)))[:, None]).sum(axis=0)
    return {
        "mean_ha": np.where(blind, np.nan, np.minimum(mean, largest)),
        "max_ha": np.where(blind, np.nan, largest),
        "agreement": count.astype(np.int16),
        "rank": rank_of_bits[bits],
    }


def _no_land(like: pd.DataFrame) -> pd.DataFrame:
    zero = np.zeros(len(like))
    return pd.DataFrame(
        {
            "mean_ha": zero,
            "max_ha": zero,
            "agreement": np.zeros(len(like), dtype=np.int16),
            "rank": pd.array([pd.NA] * len(like), dtype="Int16"),
        }
    )


def _nest(
    cropland: pd.DataFrame, irrigated: pd.DataFrame, synergy: SynergySettings
) -> list[dict[str, Any]]:
    """Make irrigated land lie inside cropland, in place; how much had to change."""
    report = []
    cut = synergy.irrigated_above_cropland == "cut"
    for part in ("mean_ha", "max_ha"):
        crop = cropland[part].to_numpy(copy=True)
        water = irrigated[part].to_numpy(copy=True)
        excess = np.maximum(np.nan_to_num(water) - np.nan_to_num(crop), 0.0)
        over = excess > 0
        if cut:
            water[over] = np.nan_to_num(crop[over])
            irrigated[part] = water
        else:
            crop[over] = water[over]
            cropland[part] = crop
        verb = "irrigated land cut to" if cut else "cropland raised to irrigated land by"
        report += [
            _row(
                "irrigated",
                "above_cropland",
                part,
                float(excess.sum()),
                "ha",
                f"{verb} cropland in {int(over.sum())} cells" if cut else f"{verb} this much",
            ),
            _row("irrigated", "above_cropland_cells", part, int(over.sum()), "cells", ""),
        ]
        log.info(
            "irrigated above cropland (%s): %.0f ha in %d cells", part, excess.sum(), over.sum()
        )
    if not cut:
        # A cell that only irrigation maps know gets the rank after the last.
        seen = cropland["max_ha"].fillna(0) > 0
        last = int(cropland["rank"].max()) + 1 if cropland["rank"].notna().any() else 1
        cropland.loc[seen & cropland["rank"].isna(), "rank"] = last
    return report


def _report(
    land: str,
    settings: LandSettings,
    year: int,
    maps: list[SourceMap],
    looked: np.ndarray,
    table: pd.DataFrame,
) -> list[dict[str, Any]]:
    report = []
    for source, (count, total) in zip(maps, looked, strict=True):
        name, told = source.source.name, source.told
        static = not any("{year}" in path for path in source.source.paths)
        note = f"{len(told.files)} file(s), first {told.files[0]}"
        if static:
            note += f"; the path has no {{year}}: the same map in every year, here {year}"
        report += [
            _row(land, name, "cells_with_an_opinion", int(count), "cells", note),
            _row(land, name, "land_in_cells", float(total), "ha", ""),
            _row(
                land,
                name,
                "land_in_grid",
                told.counted_ha + told.added_for_unusable_ha,
                "ha",
                "with the cells of the grid that belong to no unit",
            ),
            _row(land, name, "added_for_unusable_pixels", told.added_for_unusable_ha, "ha", ""),
            _row(land, name, "unusable_pixels", told.unusable_ha, "ha", ""),
            _row(
                land, name, "cut_to_pixel_area", told.cut_to_pixel_ha, "ha", "rounding of the file"
            ),
        ]
    for source in settings.sources:
        if source.years is not None and year not in source.years:
            report.append(_row(land, source.name, "left_out", 0, "ha", f"has no map of {year}"))
    blind = int(table["mean_ha"].isna().sum())
    report.append(_row(land, "combined", "cells_no_source_covers", blind, "cells", ""))
    for agreement, count in table["agreement"].value_counts().sort_index().items():
        report.append(_row(land, "combined", f"cells_agreement_{agreement}", count, "cells", ""))
    return report


def _row(
    land: str, item: str, measure: str, value: float, unit: str, sentence: str
) -> dict[str, Any]:
    return {
        "land": land,
        "item": item,
        "measure": measure,
        "value": value,
        "unit": unit,
        "sentence": sentence,
    }

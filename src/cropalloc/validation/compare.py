"""Rule `validate_allocation`: maps beside reference statistics, a crop at a time (Eq. 17-19)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropalloc.export.areas import crops_of_areas, read_areas
from cropalloc.export.places import Places
from cropalloc.settings.validation import ProductMap, ValidationSettings
from cropalloc.validation.measures import agreement, placement
from cropalloc.validation.products import onto_cells, read_product
from cropalloc.validation.units import read_reference, units_of_cells
from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

PAIR_COLUMNS = ["crop", "unit_id", "statistics_ha", "allocated_ha", "cells", "used"]


def validate_allocation(
    *,
    cells: Path,
    areas: Sequence[Path],
    reference: Path,
    validation: ValidationSettings,
    metrics_path: Path,
    pairs_path: Path,
    units: Path | None = None,
    year: int | None = None,
    name: str = "max_score",
) -> dict[str, Any]:
    """Compare allocated harvested areas with statistics of units that were not used.

    Parameters
    ----------
    cells : `grid/cells.parquet`. areas : tables `cell_id, crop, system, harvested_ha` of all
        groups (or of a baseline); the systems are summed, harvested with harvested area.
    reference : Parquet or CSV, `unit_id, crop, harvested_ha` (and `year`, then `year` chooses).
    units : the case's units, needed where the reference's are ancestors of leaves or
        `validation.level` is set.
    name : what is being judged, e.g. max_score or the name of a baseline.
    metrics_path : JSON: `name, year, crops: {crop: measures}` with the measures of `agreement`,
        `units_without_cells` and, where there are none, `reason`.
    pairs_path : Parquet, a row a reference figure: `crop, unit_id, statistics_ha, allocated_ha,
        cells, used`; a unit without a cell has no allocated area (missing) and is not used.

    Crops are those in both; crops of one side alone are listed in the metrics. Returns the
    metrics. Raises InputError for tables that cannot be used.
    """
    table, places, wanted, owner = _prepare(cells, reference, validation, units, year)
    allocated, known = set(crops_of_areas(areas)), set(wanted["crop"])
    crops = sorted(allocated & known)
    unit = owner.astype("category")
    sums = {}
    for crop in progress(crops, what=f"sums of {name}", unit="crops"):
        given = read_areas(areas, crop)
        position = places.positions(given["cell_id"].to_numpy())
        sums[crop] = given["harvested_ha"].groupby(unit.to_numpy()[position]).sum()
    if not crops:
        raise InputError(
            f"no crop is both allocated and in {reference}",
            given=", ".join(sorted(known)),
            allowed=", ".join(sorted(allocated)),
        )
    pairs = _pairs(wanted[wanted["crop"].isin(crops)], _joined(sums), owner, validation)
    metrics = {
        "name": name,
        "year": year,
        "crops": _measures(pairs, validation),
        "placement": _placement(pairs),
        "crops_without_reference": sorted(allocated - known),
        "crops_not_allocated": sorted(known - allocated),
        "cells_without_unit": int(owner.isna().sum()),
    }
    _tell(metrics, table)
    write_table(pairs, pairs_path)
    write_json(metrics_path, metrics)
    return metrics


def compare_product(
    *,
    product: str,
    maps: Sequence[ProductMap],
    cells: Path,
    reference: Path,
    validation: ValidationSettings,
    metrics_path: Path,
    pairs_path: Path,
    units: Path | None = None,
    year: int | None = None,
) -> dict[str, Any]:
    """The same comparison for another gridded product (Fig. 7), by the same units.

    Parameters
    ----------
    product : its name. maps : its maps, one a crop, hectares a pixel of any resolution in
        EPSG:4326; each pixel is spread evenly over the cells that it covers.

    The metrics of a crop also say how much of the product lies `on_no_cell_ha` (in the window of
    the case's grid, but on no cell). Files and errors as `validate_allocation`.
    """
    _, places, wanted, owner = _prepare(cells, reference, validation, units, year)
    if not maps:
        raise InputError(f"product {product} has no maps", remedy="see `validation.products`")
    sums, missed = {}, {}
    for item in progress(maps, what=f"maps of {product}", unit="crops"):
        values, transform = read_product(item)
        on_cells, off, _ = onto_cells(values, transform, places)
        if on_cells.sum() == 0:
            log.warning("%s has no %s in any cell of the case", product, item.crop)
        part = pd.DataFrame({"unit_id": owner, "harvested_ha": on_cells}).dropna()
        sums[item.crop] = part.groupby("unit_id")["harvested_ha"].sum()
        missed[item.crop] = off
    listed = wanted[wanted["crop"].isin(missed)]
    pairs = _pairs(listed, _joined(sums), owner, validation)
    measures = _measures(pairs, validation)
    for crop, values in measures.items():
        values["on_no_cell_ha"] = missed[crop]
    metrics = {
        "name": product,
        "year": year,
        "crops": measures,
        "placement": _placement(pairs),
        "crops_without_reference": sorted(set(missed) - set(wanted["crop"])),
        "crops_not_allocated": sorted(set(wanted["crop"]) - set(missed)),
        "cells_without_unit": int(owner.isna().sum()),
    }
    write_table(pairs, pairs_path)
    write_json(metrics_path, metrics)
    return metrics


def _prepare(
    cells: Path,
    reference: Path,
    validation: ValidationSettings,
    units: Path | None,
    year: int | None,
) -> tuple[pd.DataFrame, Places, pd.DataFrame, pd.Series]:
    """Cells, their places, the reference figures, and the unit of each cell."""
    table, places = Places.read(cells)
    wanted = read_reference(reference, year=year)
    known = read_table(units) if units is not None else None
    if validation.level is not None:
        if known is None:
            raise InputError("`validation.level` needs the table of units")
        wanted = wanted[
            wanted["unit_id"].isin(known.loc[known["level"] == validation.level, "unit_id"])
        ]
        if wanted.empty:
            raise InputError(f"the reference has no unit of level {validation.level}")
    owner = units_of_cells(
        table, set(wanted["unit_id"]), units=known, boundaries=validation.boundaries
    )
    return table, places, wanted, owner


def _joined(sums: dict[str, pd.Series]) -> pd.Series:
    """Sums by (crop, unit) from sums by unit of every crop."""
    return pd.concat({crop: part.rename_axis("unit_id") for crop, part in sums.items()})


def _pairs(
    wanted: pd.DataFrame, sums: pd.Series, owner: pd.Series, validation: ValidationSettings
) -> pd.DataFrame:
    """A row a reference figure; a unit with cells but without the crop has zero."""
    cells = owner.value_counts()
    pairs = wanted.rename(columns={"harvested_ha": "statistics_ha"})
    pairs["cells"] = pairs["unit_id"].map(cells).fillna(0).astype(np.int64)
    keys = pd.MultiIndex.from_frame(pairs[["crop", "unit_id"]])
    allocated = sums.reindex(keys).fillna(0.0).to_numpy(np.float64)
    pairs["allocated_ha"] = np.where(pairs["cells"] > 0, allocated, np.nan)
    pairs["used"] = pairs["cells"] > 0
    if validation.both_zero == "drop":
        pairs["used"] &= (pairs["statistics_ha"] > 0) | (pairs["allocated_ha"] > 0)
    return pairs[PAIR_COLUMNS].sort_values(["crop", "unit_id"], ignore_index=True)


def _measures(pairs: pd.DataFrame, validation: ValidationSettings) -> dict[str, dict[str, Any]]:
    found = {}
    for crop, rows in pairs.groupby("crop", sort=True):
        used = rows[rows["used"]]
        values: dict[str, Any] = {"n": len(used)}
        if len(used) >= validation.min_units:
            values = agreement(used["allocated_ha"].to_numpy(), used["statistics_ha"].to_numpy())
        else:
            values["reason"] = f"fewer than {validation.min_units} units"
        values["units_without_cells"] = int((rows["cells"] == 0).sum())
        values["statistics_without_cells_ha"] = float(
            rows.loc[rows["cells"] == 0, "statistics_ha"].sum()
        )
        found[str(crop)] = values
    return found


def _placement(pairs: pd.DataFrame) -> dict[str, float | None]:
    used = pairs[pairs["used"]]
    return placement(used["allocated_ha"].to_numpy(), used["statistics_ha"].to_numpy())


def _tell(metrics: dict[str, Any], table: pd.DataFrame) -> None:
    for key in ("crops_without_reference", "crops_not_allocated"):
        if metrics[key]:
            log.warning("%s: %s", key.replace("_", " "), ", ".join(metrics[key]))
    if metrics["cells_without_unit"]:
        log.warning(
            "%d of %d cells lie in no unit of the reference",
            metrics["cells_without_unit"],
            len(table),
        )

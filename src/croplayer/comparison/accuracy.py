"""Every map judged by the reference sample, by each definition of cropland."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from cropbase.tables import write_csv
from croplayer.comparison.codes import KNOWN
from croplayer.comparison.estimators import Accuracy, Design, Estimate, assess
from croplayer.comparison.measures import CROPLAND, READINGS, UNKNOWN, readings
from croplayer.comparison.reader import ProductReader
from croplayer.comparison.sample import NOT_CROPLAND, Sample, on_map, on_product, read_sample
from croplayer.grid import BlockGrid
from croplayer.settings.products import GROUPS, Definition, Membership, Product

FINAL = "final_map"
OURS, OWN_STRICT, OWN_LENIENT = "ours", "own_strict", "own_lenient"
"""Whose definition of cropland the reference follows: this project's, or the product's own."""
ESTIMATES = (
    "overall",
    "users",
    "producers",
    "iou",
    "reference_area_ha",
    "mapped_area_ha",
    "known_share",
)


def assess_reference(
    *,
    maps: list[Path],
    products: dict[str, Product],
    files: dict[str, list[Path]],
    own_definition: Definition,
    points: Path,
    strata: Path,
    boundary: BaseGeometry,
    grid: BlockGrid,
    accuracy_csv: Path,
    groups_csv: Path,
) -> pd.DataFrame:
    """Design-based accuracy and area of the final map and of every product (Olofsson et al., 2014).

    Parameters
    ----------
    maps : rasters of the final map. files : product -> its files.
    points, strata : the reference sample (`croplayer.comparison.sample.read_sample`).

    Writes two tables. `accuracy_csv`: map, title, reading (strict or lenient), definition,
    points, known_points, and each of `ESTIMATES` with `_se`, `_low_95` and `_high_95`.
    `definition` says what the reference calls cropland: `ours`, and where the sample tells the
    groups of Fig. 4 apart also `own_strict` (the groups that the product's definition holds) and
    `own_lenient` (and those that it is unclear about), by which a product is not blamed for a
    definition that is not ours. `groups_csv`: group, area_ha, its standard error and interval;
    empty without groups.

    Returns the first table. Raises InputError for files that cannot be used.
    """
    sample = read_sample(points, strata, boundary)
    design = Design(sample.stratum, sample.area_ha)
    rows = []
    ours = on_map(sample, maps, grid)
    truth = reference_truth(sample, own_definition, lenient=False)
    found = assess(design, ours == CROPLAND, ours < UNKNOWN, truth)
    rows.append(_row(FINAL, "this map", "strict", OURS, found))
    for name, product in products.items():
        with ProductReader(product, files[name], grid) as reader:
            states = on_product(sample, reader)
        for reading in readings(product.unclear):
            mapped = np.isin(states, READINGS[reading])
            for definition, truth in _truths(sample, own_definition, product.definition):
                found = assess(design, mapped, states < KNOWN, truth)
                rows.append(_row(name, product.title, reading, definition, found))
    table = pd.DataFrame(rows)
    write_csv(table, accuracy_csv)
    write_csv(group_areas(sample, design), groups_csv)
    return table


def reference_truth(sample: Sample, definition: Definition, *, lenient: bool) -> np.ndarray:
    """(points,) bool: cropland of the reference by a definition; without groups, `cropland`."""
    if not sample.grouped:
        return sample.reference != NOT_CROPLAND
    counted = (Membership.IN, Membership.UNCLEAR) if lenient else (Membership.IN,)
    return np.isin(sample.reference.astype(str), definition.groups(*counted))


def group_areas(sample: Sample, design: Design) -> pd.DataFrame:
    """Area of each group of Fig. 4 with its standard error, hectares; no row without groups."""
    total = float(design.area_ha.sum())
    rows = []
    for group in GROUPS if sample.grouped else ():
        area = design.share(sample.reference == group).times(total)
        rows.append({"group": group, **_estimate("area_ha", area)})
    columns = ["group", "area_ha", "area_ha_se", "area_ha_low_95", "area_ha_high_95"]
    return pd.DataFrame(rows, columns=columns)


def _truths(sample: Sample, ours: Definition, own: Definition) -> Iterator[tuple[str, np.ndarray]]:
    yield OURS, reference_truth(sample, ours, lenient=False)
    if sample.grouped:
        yield OWN_STRICT, reference_truth(sample, own, lenient=False)
        if own.groups(Membership.UNCLEAR):
            yield OWN_LENIENT, reference_truth(sample, own, lenient=True)


def _row(name: str, title: str, reading: str, definition: str, found: Accuracy) -> dict:
    row = {
        "map": name,
        "title": title,
        "reading": reading,
        "definition": definition,
        "points": found.points,
        "known_points": found.known_points,
    }
    for key in ESTIMATES:
        row |= _estimate(key, getattr(found, key))
    return row


def _estimate(name: str, estimate: Estimate) -> dict[str, float]:
    low, high = estimate.interval_95
    return {
        name: estimate.value,
        f"{name}_se": estimate.standard_error,
        f"{name}_low_95": low,
        f"{name}_high_95": high,
    }

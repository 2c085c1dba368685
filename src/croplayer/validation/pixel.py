"""The pixel level: maps against labelled polygons (paper, section 3.2.3, Eq. 2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_geotable
from croplayer.active.rasterise import CROPLAND, IGNORED, extent_window, rasterise_labels
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.bootstrap import percentiles
from croplayer.validation.confusion import RATIOS, Confusion
from croplayer.validation.maps import ShardedMap

log = logging.getLogger(__name__)

INTEGRATED = "integrated"
WINDOW_PIXELS = 2048
"""Edge of the windows that an extent is read in: memory does not grow with the extent."""


def validate_pixels(
    *,
    maps: dict[str, list[Path]],
    polygons: Path,
    extents: Path,
    grid: BlockGrid,
    output: Path,
    settings: ValidationSettings | None = None,
) -> dict[str, Any]:
    """Compare maps with the labels of the validation extents and write the result as JSON.

    Parameters
    ----------
    maps : name -> the map's rasters: 0, 1, and 254 or 255 where the map says nothing. The name is
        that of a source, or `integrated`.
    polygons, extents : checked labels (GeoParquet, EPSG:4326), as `import_labels` writes them.

    Returns what is written: for each map the counts and ratios pooled over all validation extents,
    a 95 % bootstrap interval of the pooled ratios (extents are drawn with replacement, because
    pixels of one extent are no independent sample; None with fewer than two extents), and the same
    numbers an extent. Pixels where the map says nothing are left out of the ratios and counted as
    `excluded_pixels` and `excluded_cropland_pixels`.

    An extent or polygon with a `source` counts for that source's map and for the integrated one,
    an extent or polygon without for every map.

    Raises InputError for files that cannot be used.
    """
    settings = settings or ValidationSettings()
    cropland = _read_labels(polygons, ("geometry",))
    areas = _read_labels(extents, ("extent_id", "split", "geometry"))
    areas = areas[areas["split"] == "validation"].sort_values("extent_id", ignore_index=True)
    if areas.empty:
        log.warning(
            "%s has no extent of split validation: the pixel level is not assessed", extents
        )
    result: dict[str, Any] = {
        "level": "pixel",
        "split": "validation",
        "assessed": not areas.empty,
        "extents": len(areas),
        "maps": {},
    }
    for name, paths in maps.items():
        with ShardedMap(paths, grid, name=name) as sharded:
            result["maps"][name] = _validate_map(sharded, name, cropland, areas, grid, settings)
    write_json(output, result)
    return result


def _validate_map(
    sharded: ShardedMap,
    name: str,
    cropland: gpd.GeoDataFrame,
    areas: gpd.GeoDataFrame,
    grid: BlockGrid,
    settings: ValidationSettings,
) -> dict[str, Any]:
    mine = areas if name == INTEGRATED else areas[areas["source"].isin(["", name])]
    rows, counts = [], []
    for area in progress(list(mine.itertuples()), what=f"pixels of {name}", unit="extent"):
        # An extent that holds for every source takes, for the integrated map, every polygon.
        source = name if area.source == "" else area.source
        if source != INTEGRATED:
            labels = cropland[cropland["source"].isin(["", source])]
        else:
            labels = cropland
        near = labels.geometry.iloc[labels.sindex.query(area.geometry, predicate="intersects")]
        confusion, excluded, excluded_cropland = _count(
            sharded, area.geometry, near.to_numpy(), grid
        )
        if confusion.total == 0:
            log.warning("map %s says nothing about extent %s", name, area.extent_id)
        rows.append(
            {
                "extent_id": str(area.extent_id),
                "excluded_pixels": excluded,
                "excluded_cropland_pixels": excluded_cropland,
            }
            | confusion.as_dict()
        )
        counts.append((confusion.tp, confusion.fp, confusion.fn, confusion.tn))
    pooled = sum((Confusion(*row) for row in counts), Confusion())
    return {
        "pooled": pooled.as_dict()
        | {
            key: sum(row[key] for row in rows)
            for key in ("excluded_pixels", "excluded_cropland_pixels")
        },
        "interval_95": bootstrap_interval(
            np.array(counts, dtype=np.int64).reshape(-1, 4),
            repeats=settings.bootstrap_repeats,
            seed=settings.bootstrap_seed,
        ),
        "extents": rows,
    }


def _count(
    sharded: ShardedMap, extent, polygons: np.ndarray, grid: BlockGrid
) -> tuple[Confusion, int, int]:
    """(counts, pixels excluded, cropland pixels excluded) of one extent."""
    confusion, excluded, excluded_cropland = Confusion(), 0, 0
    for window in _pieces(extent_window(extent, grid)):
        target = rasterise_labels(polygons, extent, grid, window)
        labelled = target != IGNORED
        if not labelled.any():
            continue
        values = sharded.read(window)
        known = values <= 1
        truth = target == CROPLAND
        confusion += Confusion.count(values == 1, truth, labelled & known)
        excluded += int(np.count_nonzero(labelled & ~known))
        excluded_cropland += int(np.count_nonzero(truth & ~known))
    return confusion, excluded, excluded_cropland


def bootstrap_interval(
    counts: np.ndarray, *, repeats: int, seed: int
) -> dict[str, list[float] | None] | None:
    """95 % percentile intervals of the pooled ratios, extents drawn with replacement.

    Parameters
    ----------
    counts : (extents, 4) int, TP, FP, FN, TN.

    Returns ratio -> [low, high]; None for a ratio that no resample defines, and None altogether
    with fewer than two extents.
    """
    n = len(counts)
    if n < 2:
        return None
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=repeats)
    tp, fp, fn, tn = (draws @ counts).astype(np.float64).T
    found = {
        "iou": (tp, tp + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "overall_accuracy": (tp + tn, tp + fp + fn + tn),
    }
    intervals: dict[str, list[float] | None] = {}
    for name in RATIOS:
        part, whole = found[name]
        intervals[name] = percentiles(part[whole > 0] / whole[whole > 0])
    return intervals


def _pieces(window: PixelWindow) -> Iterator[PixelWindow]:
    """The window in squares of at most `WINDOW_PIXELS`."""
    for row in range(window.row, window.row + window.height, WINDOW_PIXELS):
        for col in range(window.col, window.col + window.width, WINDOW_PIXELS):
            yield PixelWindow(
                row,
                col,
                min(WINDOW_PIXELS, window.row + window.height - row),
                min(WINDOW_PIXELS, window.col + window.width - col),
            )


def _read_labels(path: Path, columns: tuple[str, ...]) -> gpd.GeoDataFrame:
    """Checked labels with a `source` column; "" where the label holds for every source."""
    table = read_geotable(path)
    for name in columns:
        if name not in table.columns:
            raise InputError(
                f"label table {path} has no column {name!r}",
                given=", ".join(map(str, table.columns)),
                remedy="run `snakemake --forcerun import_labels`",
            )
    if table.crs is None or table.crs.to_epsg() != 4326:
        raise InputError(
            f"label table {path} is not in EPSG:4326",
            given=table.crs.to_string() if table.crs else "no CRS",
            remedy="run `snakemake --forcerun import_labels`",
        )
    source = table["source"] if "source" in table.columns else ""
    table["source"] = source
    table["source"] = table["source"].astype(object).where(table["source"].notna(), "").astype(str)
    return table

"""Pixel accuracy of masks against labelled extents (the first level of validation)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from shapely.geometry.base import BaseGeometry

from cropbase.errors import InputError
from croplayer.active.rasterise import CROPLAND, IGNORED, extent_window, rasterise_labels
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.segmentation.windows import Mosaics, check_sources, read_labels
from croplayer.validation.confusion import Confusion

log = logging.getLogger(__name__)

STRIP_PIXELS = 4_000_000
FIRST_NODATA = 254
"""Values from here on are no statement: 254 unusable imagery, 255 nodata."""


def evaluate_pixels(
    *,
    masks: dict[str, list[Path]],
    polygons: Path,
    extents: Path,
    grid: BlockGrid,
    split: str = "validation",
) -> dict[str, Any]:
    """Compare masks with the labelled extents of one split, pixel by pixel (Eq. 2).

    Parameters
    ----------
    masks : source -> mask rasters of its shards (uint8: 0 other, 1 cropland, 254 and 255 nodata).
        An extent without a source is compared with each of them, another one with its own.
    polygons, extents : label tables (GeoParquet, EPSG:4326).

    Returns
    -------
    `split`; `overall` (pooled over sources); `sources`: name -> measures; `extents`: a row an
    extent and source with `extent_id`, `source` and measures. Measures: `tp, fp, fn, tn` (pixels
    with a label and a mask), `iou, precision, recall, f1, overall_accuracy` (None where undefined),
    `labelled_pixels`, `nodata_pixels`, `nodata_fraction` (labelled pixels without a mask, left out
    of the ratios).

    Raises InputError if the split has no extent, or none of its pixels is mapped.
    """
    cropland, areas = read_labels(Path(polygons), Path(extents))
    chosen = areas[areas["split"] == split]
    if chosen.empty:
        raise InputError(
            f"label extents {extents}: no extent of split {split!r}",
            remedy="set the split of some extents to it",
        )
    check_sources(chosen, Path(extents), masks)
    pictures = {name: Mosaics(paths, grid) for name, paths in sorted(masks.items())}
    rows: list[dict[str, Any]] = []
    pooled: dict[str, tuple[Confusion, int]] = {name: (Confusion(), 0) for name in pictures}
    for extent in chosen.itertuples():
        for source in pictures if extent.source == "" else [extent.source]:
            counts, nodata = _compare(pictures[source], cropland, extent.geometry, grid)
            rows.append(
                {"extent_id": extent.extent_id, "source": source, **_measures(counts, nodata)}
            )
            before, missing = pooled[source]
            pooled[source] = (before + counts, missing + nodata)
    counts = sum((pair[0] for pair in pooled.values()), Confusion())
    nodata = sum(pair[1] for pair in pooled.values())
    if counts.total == 0:
        raise InputError(
            f"label extents {extents}: no pixel of split {split!r} is mapped",
            given=f"{nodata} labelled pixels, all of them nodata",
            remedy="check that the labels lie in the province",
        )
    if nodata:
        log.warning(
            "%d of %d labelled pixels have no mask and are left out", nodata, nodata + counts.total
        )
    return {
        "split": split,
        "overall": _measures(counts, nodata),
        "sources": {name: _measures(*pair) for name, pair in pooled.items()},
        "extents": rows,
    }


def _measures(counts: Confusion, nodata: int) -> dict[str, Any]:
    labelled = counts.total + nodata
    return {
        **counts.as_dict(),
        "labelled_pixels": labelled,
        "nodata_pixels": nodata,
        "nodata_fraction": nodata / labelled if labelled else None,
    }


def _compare(
    picture: Mosaics, cropland: gpd.GeoDataFrame, extent: BaseGeometry, grid: BlockGrid
) -> tuple[Confusion, int]:
    """Counts of one extent and its labelled pixels without a mask, strip by strip."""
    touching = np.sort(cropland.sindex.query(extent, predicate="intersects"))
    near = cropland.geometry.iloc[touching]
    counts, nodata = Confusion(), 0
    for strip in _strips(extent_window(extent, grid)):
        target = rasterise_labels(near, extent, grid, strip)
        bands, there = picture.read(strip, bands=(1,))
        labelled = target != IGNORED
        mapped = there & (bands[0] < FIRST_NODATA)
        counts += Confusion.count(bands[0] == 1, target == CROPLAND, labelled & mapped)
        nodata += int(np.count_nonzero(labelled & ~mapped))
    return counts, nodata


def _strips(window: PixelWindow) -> Iterator[PixelWindow]:
    height = max(STRIP_PIXELS // max(window.width, 1), 1)
    for top in range(0, window.height, height):
        yield PixelWindow(
            window.row + top, window.col, min(height, window.height - top), window.width
        )

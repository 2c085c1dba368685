"""Shards read at the resolution of a figure: never a whole raster, always its overviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window, from_bounds

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.report.style import Extent

OVERSAMPLING = 3
"""Classes are read this many times finer than they are drawn and become shares."""


def _extent_shape(extent: Extent, pixels: int) -> tuple[int, int]:
    """(rows, columns) of a picture of `extent` whose longer edge has `pixels`."""
    west, south, east, north = extent
    if not (east > west and north > south):
        raise InputError("a figure of an empty extent", given=extent)
    scale = pixels / max(east - west, north - south)
    return max(round((north - south) * scale), 1), max(round((east - west) * scale), 1)


def read_imagery(paths: list[Path], extent: Extent, pixels: int) -> np.ndarray:
    """(rows, columns, 4) uint8 RGBA of mosaics; transparent where no pixel is valid.

    Parameters
    ----------
    paths : RGB rasters in EPSG:4326 that together cover (a part of) `extent`; they may overlap.
    pixels : longer edge of the picture.
    """
    rows, cols = _extent_shape(extent, pixels)
    picture = np.zeros((rows, cols, 4), dtype=np.uint8)
    for path in sorted(paths):
        with open_raster(path) as dataset:
            place = _place(dataset, extent, rows, cols)
            if place is None:
                continue
            window, target = place
            shape = tuple(s.stop - s.start for s in target)
            bands = dataset.read(
                [1, 2, 3] if dataset.count >= 3 else [1, 1, 1],
                window=window,
                out_shape=(3, *shape),
                resampling=Resampling.average,
            )
            valid = dataset.dataset_mask(window=window, out_shape=shape) > 0
            part = picture[target]
            part[valid, :3] = np.moveaxis(bands, 0, -1)[valid]
            part[valid, 3] = 255
    return picture


def read_codes(paths: list[Path], extent: Extent, pixels: int) -> np.ndarray:
    """(rows, columns) uint8 codes of class rasters, the nearest pixel; 255 where there is none."""
    rows, cols = _extent_shape(extent, pixels)
    codes = np.full((rows, cols), 255, dtype=np.uint8)
    for path in sorted(paths):
        with open_raster(path) as dataset:
            place = _place(dataset, extent, rows, cols)
            if place is None:
                continue
            window, target = place
            shape = tuple(s.stop - s.start for s in target)
            found = dataset.read(1, window=window, out_shape=shape, resampling=Resampling.nearest)
            known = found != 255
            codes[target][known] = found[known]
    return codes


def cropland_share(paths: list[Path], extent: Extent, pixels: int) -> tuple[np.ndarray, ...]:
    """(share of cropland 0-1, share of unusable, share of known) a picture pixel, from samples.

    Each is (rows, columns) float64; the first is NaN where nothing is known.
    """
    codes = read_codes(paths, extent, pixels * OVERSAMPLING)
    rows, cols = (n // OVERSAMPLING for n in codes.shape)
    cells = codes[: rows * OVERSAMPLING, : cols * OVERSAMPLING]
    cells = cells.reshape(rows, OVERSAMPLING, cols, OVERSAMPLING).swapaxes(1, 2)
    known = (cells <= 1).mean(axis=(2, 3))
    crop = (cells == 1).mean(axis=(2, 3))
    share = np.divide(crop, known, out=np.full_like(crop, np.nan), where=known > 0)
    return share, (cells == 254).mean(axis=(2, 3)), known


def _place(
    dataset: rasterio.DatasetReader, extent: Extent, rows: int, cols: int
) -> tuple[Window, tuple[slice, slice]] | None:
    """(window of the raster, slices of the picture) that show the same ground; None if none."""
    west, south, east, north = extent
    left, bottom, right, top = dataset.bounds
    x, y = (east - west) / cols, (north - south) / rows
    # Only whole picture pixels: their edges decide which part of the raster is read.
    c0 = max(int(np.ceil((left - west) / x - 1e-6)), 0)
    c1 = min(int(np.floor((right - west) / x + 1e-6)), cols)
    r0 = max(int(np.ceil((north - top) / y - 1e-6)), 0)
    r1 = min(int(np.floor((north - bottom) / y + 1e-6)), rows)
    if c1 <= c0 or r1 <= r0:
        return None
    window = from_bounds(
        west + c0 * x, north - r1 * y, west + c1 * x, north - r0 * y, dataset.transform
    )
    return window, (slice(r0, r1), slice(c0, c1))

"""Reading rasters that lie on the global pixel grid, by windows of that grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import rasterio
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.rasters import damaged
from croplayer.grid.blocks import BlockGrid, PixelWindow

TOLERANCE_PIXELS = 0.01
"""Largest departure from the global pixel grid, anywhere in the file, that counts as rounding."""


def raster_window(dataset: rasterio.DatasetReader, grid: BlockGrid) -> PixelWindow:
    """The pixels of the global grid that an open raster covers.

    Raises InputError if the raster is not EPSG:4326, is not north-up, or if its pixels are not
    those of `grid` (another pixel size, or shifted by a part of a pixel).
    """
    name = dataset.name
    if dataset.crs is None or dataset.crs.to_epsg() != 4326:
        raise InputError(
            f"raster {name} is not on the global pixel grid: its coordinate reference system",
            given="none" if dataset.crs is None else dataset.crs.to_string(),
            allowed="EPSG:4326",
            remedy="let the workflow make it again (rule build_mosaic)",
        )
    t, size = dataset.transform, grid.pixel_degrees
    span = max(dataset.width, dataset.height)
    drift = max(abs(t.a - size), abs(t.e + size)) / size * span
    if t.b or t.d or drift > TOLERANCE_PIXELS:
        raise InputError(
            f"raster {name} is not on the global pixel grid: its pixel size",
            given=f"{t.a!r} x {t.e!r} degrees, rotation {t.b!r}, {t.d!r}",
            allowed=f"{size!r} x {-size!r} degrees, north-up",
            remedy="check grid.pixels_per_block, or let the workflow make the raster again",
        )
    col, row = (t.c + 180.0) / size, (90.0 - t.f) / size
    shift = max(abs(col - round(col)), abs(row - round(row)))
    if shift > TOLERANCE_PIXELS:
        raise InputError(
            f"raster {name} is not on the global pixel grid: it is shifted by a part of a pixel",
            given=f"north-west corner {t.c!r}, {t.f!r}: {shift:.3f} pixel off",
            allowed="corners on whole pixels counted from 180 W, 90 N",
            remedy="let the workflow make the raster again (rule build_mosaic)",
        )
    return PixelWindow(round(row), round(col), dataset.height, dataset.width)


def read_window(
    dataset: rasterio.DatasetReader,
    grid: BlockGrid,
    window: PixelWindow,
    bands: Sequence[int] | None = None,
    boundless: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of the global pixel grid from an open raster.

    Parameters
    ----------
    dataset : a raster on the global pixel grid; it may cover any part of the window.
    window : the pixels wanted.
    bands : band numbers from 1; all bands if None.
    boundless : if False, a window that leaves the raster is refused.

    Returns
    -------
    array : (bands, window.height, window.width), the raster's dtype; 0 outside the raster.
    valid : (window.height, window.width) bool: inside the raster and not nodata (the file's mask,
        alpha band or nodata value).

    Raises InputError if the raster is not on the grid, has no such band, cannot be read, or (with
    `boundless=False`) does not cover the window.
    """
    covered = raster_window(dataset, grid)
    indexes = list(range(1, dataset.count + 1)) if bands is None else [int(b) for b in bands]
    unknown = [b for b in indexes if not 1 <= b <= dataset.count]
    if unknown:
        raise InputError(
            f"raster {dataset.name} has no band {unknown[0]}", allowed=f"1 to {dataset.count}"
        )
    top, left = max(window.row, covered.row), max(window.col, covered.col)
    bottom = min(window.row + window.height, covered.row + covered.height)
    right = min(window.col + window.width, covered.col + covered.width)
    part = PixelWindow(top, left, bottom - top, right - left)
    if not boundless and part != window:
        raise InputError(
            f"raster {dataset.name} does not cover the window {window}",
            given=str(covered),
            remedy="let the workflow make the raster again: it was made for other blocks or a "
            "smaller halo",
        )
    dtype = np.result_type(*(dataset.dtypes[b - 1] for b in indexes))
    array = np.zeros((len(indexes), window.height, window.width), dtype=dtype)
    valid = np.zeros((window.height, window.width), dtype=bool)
    if part.height <= 0 or part.width <= 0:
        return array, valid
    place = part.relative_to(window)
    source = Window(part.col - covered.col, part.row - covered.row, part.width, part.height)
    try:
        array[:, *place] = dataset.read(indexes, window=source)
        valid[place] = dataset.dataset_mask(window=source) > 0
    except rasterio.errors.RasterioIOError as error:
        raise damaged(dataset.name, error) from None
    return array, valid

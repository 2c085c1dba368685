"""Rasters on disk: cloud-optimised GeoTIFFs written window by window, atomically.

Memory never grows with the raster: windows are written to a plain tiled GeoTIFF in the target's
folder and GDAL's COG driver turns that into the final file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.shutil import copy as gdal_copy
from rasterio.transform import Affine
from rasterio.windows import Window

from cropbase.atomic import atomic_path
from cropbase.errors import InputError

TILE = 512

# GDAL keeps up to a twentieth of the machine's memory in its cache of blocks, so that a job on a
# large machine would grow with its raster; megabytes, read by GDAL when it first needs the cache.
os.environ.setdefault("GDAL_CACHEMAX", "128")


def write_cog(
    path: str | Path,
    windows: Iterable[tuple[Window, np.ndarray] | tuple[Window, np.ndarray, np.ndarray]],
    *,
    height: int,
    width: int,
    bands: int,
    dtype: str,
    transform: Affine,
    crs: str = "EPSG:4326",
    nodata: float | None = None,
    compression: str = "deflate",
    quality: int | None = None,
    overview_resampling: str = "nearest",
    tags: dict[str, str] | None = None,
    descriptions: list[str] | None = None,
    colormap: dict[int, tuple[int, int, int, int]] | None = None,
    threads: int = 1,
) -> None:
    """Write a COG from an iterator of (window, array) or (window, array, valid mask).

    Parameters
    ----------
    windows : rasterio windows with arrays (bands, rows, columns) of `dtype`; a third element, a
        boolean array (rows, columns), is the validity mask, stored as the file's internal mask.
        Pixels that no window covers are 0 (or `nodata`) and, where a mask is used, invalid.
    height, width, bands, dtype, transform, crs, nodata : the raster.
    compression : deflate, zstd, lzw (lossless) or jpeg, webp (with `quality`).
    tags : dataset metadata.
    threads : threads that compress; they change no byte of the file.
    """
    rasterio_env = {"GDAL_TIFF_INTERNAL_MASK": True, "GDAL_NUM_THREADS": str(threads)}
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": bands,
        "dtype": dtype,
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "compress": "lzw",
        "bigtiff": "if_safer",
        "sparse_ok": True,
    }
    options: dict[str, Any] = {
        "driver": "COG",
        "blocksize": TILE,
        "compress": compression.upper(),
        "overview_resampling": overview_resampling.upper(),
        "bigtiff": "IF_SAFER",
    }
    if quality is not None:
        options["quality"] = quality
    elif compression in ("deflate", "zstd", "lzw") and np.issubdtype(np.dtype(dtype), np.integer):
        options["predictor"] = "YES"
    with rasterio.Env(**rasterio_env), atomic_path(path) as temporary:
        draft = temporary.with_name("draft.tif")
        with rasterio.open(draft, "w", **profile) as dataset:
            if tags:
                dataset.update_tags(**tags)
            for index, text in enumerate(descriptions or [], start=1):
                dataset.set_band_description(index, text)
            if colormap:
                dataset.write_colormap(1, colormap)
            for window, array, *mask in windows:
                dataset.write(array, window=window)
                if mask:
                    dataset.write_mask(np.where(mask[0], 255, 0).astype(np.uint8), window=window)
        gdal_copy(draft, temporary, **options)


def open_raster(path: str | Path) -> rasterio.DatasetReader:
    """Open a raster for reading; raises InputError if it is absent, damaged or has no CRS."""
    try:
        dataset = rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise InputError(
            f"raster {path} cannot be opened",
            given=error,
            allowed="a georeferenced raster that GDAL reads, whole",
            remedy="check the path; a damaged file: copy it anew, or delete it if the workflow "
            "makes it",
        ) from None
    if dataset.crs is None:
        dataset.close()
        raise InputError(
            f"raster {path} has no coordinate reference system",
            remedy="assign the right one, e.g. `gdal_edit.py -a_srs EPSG:4326 FILE`",
        )
    return dataset


@contextmanager
def reading_raster(path: str | Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster like `open_raster`; InputError too if it breaks off while it is read."""
    with open_raster(path) as dataset:
        try:
            yield dataset
        except rasterio.errors.RasterioError as error:
            raise damaged(path, error) from None


def damaged(path: str | Path, error: Exception) -> InputError:
    """What to raise for a raster that breaks off while it is read."""
    return InputError(
        f"raster {path} is damaged: it cannot be read to its end",
        given=error.__cause__ or error,
        remedy="copy or download the file anew; delete it if the workflow makes it",
    )

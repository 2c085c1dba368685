"""The mosaic of a scene's tiles by GDAL's warper, and what a mosaic holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles.coverage import covering_tiles

HALF_M = 20037508.342789244
HALO = 24


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset.dataset_mask() > 0


def centres(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with rasterio.open(path) as dataset:
        t = dataset.transform
        return np.meshgrid(
            t.c + t.a * (np.arange(dataset.width) + 0.5),
            t.f + t.e * (np.arange(dataset.height) + 0.5),
        )


def assembled(
    source: XyzSource, grid: BlockGrid, blocks: list[Block], pixels: Callable, halo: int = HALO
) -> tuple[np.ndarray, Affine]:
    """All tiles as one Web Mercator image (bands, rows, columns), and its transform in metres."""
    matrix = TileMatrix(source.zoom)
    xs, ys = covering_tiles(matrix, "wgs84", grid, blocks, halo)
    x0, y0 = xs.min(), ys.min()
    image = np.zeros(((ys.max() - y0 + 1) * 256, (xs.max() - x0 + 1) * 256, 3), np.uint8)
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        image[(y - y0) * 256 :, (x - x0) * 256 :][:256, :256] = pixels(x, y)
    size = 2 * HALF_M / matrix.world_pixels
    transform = Affine(size, 0, x0 * 256 * size - HALF_M, 0, -size, HALF_M - y0 * 256 * size)
    return np.moveaxis(image, -1, 0), transform


def by_gdal(image: np.ndarray, transform: Affine, like: Path, method: Resampling) -> np.ndarray:
    with rasterio.open(like) as dataset:
        out = np.zeros((3, dataset.height, dataset.width), np.uint8)
        reproject(
            image,
            out,
            src_transform=transform,
            src_crs="EPSG:3857",
            dst_transform=dataset.transform,
            dst_crs="EPSG:4326",
            resampling=method,
        )
    return out

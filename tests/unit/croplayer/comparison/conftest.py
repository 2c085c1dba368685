"""Tiny MADE products in published layouts, and a tiny province; nothing here is a real map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine
from scipy import ndimage

from croplayer.comparison.catalogue import read_catalogue
from croplayer.grid import Block, BlockGrid
from croplayer.settings.products import Catalogue

REPOSITORY = Path(__file__).parents[4]
N = 64


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return read_catalogue(REPOSITORY / "config" / "products.yaml")


def patches(shape, seed, codes, sigma=4):
    """Random patches of the given codes, uint8 (rows, columns)."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    edges = np.quantile(noise, np.linspace(0, 1, len(codes) + 1)[1:-1])
    return np.array(codes, np.uint8)[np.digitize(noise, edges)]


def write_raster(path, array, transform, crs="EPSG:4326", nodata=None, **tags):
    """A plain tiled GeoTIFF of one band."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1,
        dtype=array.dtype, crs=crs, transform=transform, nodata=nodata, tiled=True,
        blockxsize=64, blockysize=64,
    ) as dataset:  # fmt: skip
        dataset.write(array, 1)
        if tags:
            dataset.update_tags(**tags)
    return path


@dataclass
class Place:
    """Four blocks in one shard, a final map of them, and a province that cuts them."""

    folder: Path
    grid: BlockGrid
    blocks: list[Block]
    ours: np.ndarray
    boundary: shapely.Polygon
    maps: list[Path]

    @property
    def window(self):
        return self.grid.shard_window(self.blocks)

    @property
    def transform(self) -> Affine:
        return self.grid.transform(self.window)

    def inside(self) -> np.ndarray:
        """(128, 128) bool by brute force: is a pixel's centre in the province?"""
        rows, cols = np.mgrid[: 2 * N, : 2 * N]
        t = self.transform
        return shapely.contains_xy(
            self.boundary, t.c + (cols + 0.5) * t.a, t.f + (rows + 0.5) * t.e
        )

    def product(self, name, codes, *, crs="EPSG:4326", pixel=0.0005, seed=3, margin=0.02, **more):
        """A made product that covers the place and a margin, in any CRS."""
        west, south, east, north = self.grid.window_bounds(self.window)
        bounds = (west - margin, south - margin, east + margin, north + margin)
        left, bottom, right, top = rasterio.warp.transform_bounds("EPSG:4326", crs, *bounds)
        shape = (int((top - bottom) / pixel), int((right - left) / pixel))
        array = patches(shape, seed, codes)
        transform = Affine(pixel, 0, left, 0, -pixel, top)
        return write_raster(self.folder / "products" / name, array, transform, crs, **more)


@pytest.fixture
def place(tmp_path) -> Place:
    grid = BlockGrid(0.05, N, 0.1)
    corner = grid.block_at(112.01, 24.09)
    blocks = [Block(corner.row + r, corner.col + c) for r in range(2) for c in range(2)]
    ours = patches((2 * N, 2 * N), 1, [0, 1])
    ours[10:30, 50:90] = 254
    boundary = shapely.Polygon(
        [(112.0, 24.0), (112.1, 24.0041313), (112.0931729, 24.1), (112.0041137, 24.0972713)]
    )
    made = Place(tmp_path, grid, blocks, ours, boundary, [])
    made.maps.append(write_raster(tmp_path / "map.tif", ours, made.transform, nodata=255))
    return made

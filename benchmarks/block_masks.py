"""Masks of one block for the benchmarks: generated ones, and ones cut from real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.windows import Window
from scipy import ndimage

SIZE = 2304
"""Pixels of a block at zoom 16."""
AERIAL = Path("naip_two_dates") / "m_4709963_se_14_1_20120731.tif"
WORLDCOVER = (
    Path("landcover") / "esa_worldcover_saotome" / "ESA_WorldCover_10m_2020_v100_N00E006_Map.tif"
)
PHOTOGRAPHS = Path("naip_fields") / "images"


def generated_fields(size: int = SIZE, *, seed: int) -> np.ndarray:
    """(size, size) bool, generated: small fields between bunds, on bent slanting rows."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((size, size), dtype=np.float32)
    for axis in (rows, cols):
        bend = ndimage.zoom(rng.standard_normal((7, 7)), size / 7, order=3, output=np.float32)
        axis += 12 * bend
    across = (cols + 0.4 * rows) / 33
    along = (rows - 0.4 * cols) / 25
    row = np.floor(along).astype(np.int64)
    shifted = across + rng.random(4096, dtype=np.float32)[row % 4096]
    column = np.floor(shifted).astype(np.int64)
    field = (along - row > 0.12) & (shifted - column > 0.1)
    kept = rng.random((1021, 1019)) < 0.8
    return field & kept[row % 1021, column % 1019] & ~_specks(size, rng)


def generated_patches(size: int = SIZE, *, seed: int) -> np.ndarray:
    """(size, size) bool, generated: ragged patches with holes, half of the block."""
    noise = np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, 2)
    return noise > np.median(noise)


def aerial(root: Path) -> np.ndarray:
    """(2304, 2304) bool: vegetation index above its median, a real image of 5 m enlarged."""
    with rasterio.open(root / AERIAL) as dataset:
        red, infrared = dataset.read(
            [1, 4], out_shape=(2, SIZE, SIZE), resampling=Resampling.bilinear
        ).astype(np.float32)
    index = (infrared - red) / np.maximum(infrared + red, 1)
    return index > np.median(index)


def photographs(root: Path) -> np.ndarray:
    """(2304, 2304) bool: greenness above its median, nine real aerial images of 1-2.5 m."""
    side = SIZE // 3
    mask = np.empty((SIZE, SIZE), dtype=bool)
    for k, path in enumerate(sorted((root / PHOTOGRAPHS).glob("*.png"))[:9]):
        with Image.open(path) as image:
            red, green, blue = np.asarray(image.crop((0, 0, side, side)), dtype=np.float32).T
        index = ndimage.gaussian_filter(2 * green - red - blue, 2).T
        r, c = k // 3 * side, k % 3 * side
        mask[r : r + side, c : c + side] = index > np.median(index)
    return mask


def worldcover(root: Path) -> np.ndarray:
    """(2304, 2304) bool: grassland and cropland of a real product of 10 m, enlarged to 2 m."""
    with rasterio.open(root / WORLDCOVER) as dataset:
        codes = dataset.read(1, window=Window(5500, 30900, 3600, 5100))
    mask = (codes == 30) | (codes == 40)
    side = -(-SIZE // 5)
    share = ndimage.uniform_filter(mask.astype(np.float32), side, mode="constant")
    half = side // 2
    inner = share[half : -half - 1, half : -half - 1]
    row, col = np.unravel_index(inner.argmax(), inner.shape)
    cut = mask[row : row + side, col : col + side]
    return np.ascontiguousarray(cut.repeat(5, 0).repeat(5, 1)[:SIZE, :SIZE])


REAL = {
    "real aerial image of 5 m, enlarged": (AERIAL, aerial),
    "real aerial images of 1-2.5 m": (PHOTOGRAPHS, photographs),
    "WorldCover enlarged": (WORLDCOVER, worldcover),
}
"""Name -> (what it needs under the data root, how it is cut)."""


def _specks(size: int, rng: np.random.Generator) -> np.ndarray:
    """(size, size) bool, trees and ponds: 1 % of the pixels."""
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), 1.5)
    return noise > 2.33 * noise.std()

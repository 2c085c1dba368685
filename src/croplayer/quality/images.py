"""The image of a block: read whole from the mosaic, reduced for the network.

The reduction starts from the full resolution and never from the file's overviews: overviews are
aligned to the file's corner, and the image of a block would depend on the shard that holds it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.grid import Block, BlockGrid
from croplayer.grid.rasters import raster_window, read_window


def open_mosaic(path: str | Path, grid: BlockGrid) -> rasterio.DatasetReader:
    """Open a mosaic; raises InputError unless it is uint8 RGB on the global pixel grid."""
    dataset = open_raster(path)
    try:
        if dataset.count < 3 or any(dtype != "uint8" for dtype in dataset.dtypes[:3]):
            raise InputError(
                f"mosaic {path} is not an RGB image",
                given=f"{dataset.count} bands of {', '.join(dataset.dtypes)}",
                allowed="three bands of uint8",
            )
        raster_window(dataset, grid)
    except InputError:
        dataset.close()
        raise
    return dataset


def read_block(
    dataset: rasterio.DatasetReader, grid: BlockGrid, block: Block, *, margin: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a block and `margin` pixels around it.

    Returns rgb (3, rows, columns) uint8, 0 where invalid, and valid (rows, columns) bool. The
    margin may leave the mosaic (it is invalid there), the block may not.

    Raises InputError if the mosaic does not cover the block.
    """
    window, covered = grid.block_window(block), raster_window(dataset, grid)
    if covered.union(window) != covered:
        raise InputError(
            f"mosaic {dataset.name} does not cover block {grid.block_id(block)}",
            remedy="delete the mosaic and let the workflow make it again for the planned blocks",
        )
    rgb, valid = read_window(dataset, grid, window.buffered(margin), bands=(1, 2, 3))
    rgb[:, ~valid] = 0
    return rgb, valid


def reduce_image(rgb: np.ndarray, valid: np.ndarray, pixels: int) -> np.ndarray:
    """Average a block down to `pixels` x `pixels`, over its valid pixels.

    Output pixel i of m covers the input pixels floor(i n / m) to ceil((i + 1) n / m) of n, as
    adaptive average pooling does; a block smaller than `pixels` is enlarged by the same rule.

    Parameters: rgb (3, rows, columns) uint8; valid (rows, columns) bool. Returns (3, pixels,
    pixels) uint8, black (0) where no input pixel is valid.
    """
    rows = _edges(rgb.shape[1], pixels)
    cols = _edges(rgb.shape[2], pixels)
    weight = np.maximum(_sum_boxes(valid, rows, cols), 1)
    mean = np.stack([_sum_boxes(np.where(valid, band, 0), rows, cols) / weight for band in rgb])
    return np.floor(mean + 0.5).astype(np.uint8)


def _edges(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.arange(m)
    return index * n // m, -(-(index + 1) * n // m)


def _sum_boxes(
    values: np.ndarray, rows: tuple[np.ndarray, np.ndarray], cols: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Sums over boxes, by a table of cumulated sums.

    The table wraps at 2^32; its differences are exact nevertheless, for boxes below 16 million
    pixels of 255.
    """
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), dtype=np.uint32)
    np.cumsum(values, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    strips = table[rows[1]] - table[rows[0]]
    return strips[:, cols[1]] - strips[:, cols[0]]

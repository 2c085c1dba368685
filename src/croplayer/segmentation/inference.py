"""Cropland probability and mask of one shard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.rasters import open_raster, write_cog
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.rasters import raster_window, read_window
from croplayer.segmentation import storage
from croplayer.segmentation.device import set_threads
from croplayer.segmentation.engine import Predictor, chip_origins
from croplayer.settings.segmentation import SegmentationSettings

log = logging.getLogger(__name__)

SCALE = 250
"""Probability 1 in the probability raster."""
NODATA = 255
MASK_COLOURS = {0: (233, 227, 210, 255), 1: (74, 140, 56, 255), NODATA: (0, 0, 0, 0)}


def segment_shard(
    *,
    mosaic: Path,
    blocks: list[Block],
    grid: BlockGrid,
    model_dir: Path,
    settings: SegmentationSettings,
    probability: Path,
    mask: Path,
) -> None:
    """Map the cropland of a shard in one source.

    Parameters
    ----------
    mosaic : uint8 RGB with validity mask, on the global pixel grid; reaches at least a chip beyond
        the blocks (its halo), else the result would depend on where the shard ends.
    blocks : the planned blocks of the shard.
    model_dir : what `train_segmentation` wrote.
    probability : written: uint8 COG of the blocks' bounding rectangle, 0-250 = probability x 250,
        255 without imagery or outside the planned blocks.
    mask : written: uint8 COG, 1 where the stored probability reaches the threshold, 0 elsewhere,
        255 as above.

    Raises InputError if the mosaic is not on the grid or its halo is too narrow, or if the model
    cannot be read.
    """
    set_threads(settings)
    model, description = storage.load_model(Path(model_dir))
    if description["chip_pixels"] > settings.inference_chip:
        log.warning(
            "the model was trained on chips of %s pixels and runs on smaller ones of %s",
            description["chip_pixels"],
            settings.inference_chip,
        )
    predictor = Predictor(model, settings)
    window = grid.shard_window(blocks)
    tags = {"model_sha256": storage.model_hash(Path(model_dir)), "content": "cropland probability"}
    with open_raster(mosaic) as dataset:
        _check_halo(dataset, window, grid, settings, mosaic)

        def read(part: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
            bands, valid = read_window(dataset, grid, part, bands=(1, 2, 3))
            return bands.transpose(1, 2, 0), valid

        strips = predictor.strips(window, read, _touches(blocks, grid))
        write_cog(
            probability,
            _encode(strips, blocks, window, grid, settings),
            height=window.height,
            width=window.width,
            bands=1,
            dtype="uint8",
            transform=grid.transform(window),
            nodata=NODATA,
            tags={**tags, "scale": f"probability x {SCALE}"},
            descriptions=["cropland probability x 250"],
        )
    threshold_probability(
        probability=probability, mask=mask, threshold=settings.threshold, tags=tags
    )


def threshold_probability(
    *,
    probability: Path,
    mask: Path,
    threshold: float,
    tags: dict[str, str] | None = None,
) -> None:
    """Write the mask of a probability raster: 1 where value / 250 >= threshold, 255 stays."""
    with open_raster(probability) as dataset:

        def windows() -> Iterator[tuple[Window, np.ndarray]]:
            for _, window in dataset.block_windows(1):
                values = dataset.read(1, window=window)
                # Compared in whole numbers: 0.7 x 250 is not 175 in binary fractions.
                reached = values >= np.ceil(round(threshold * SCALE, 6))
                cover = np.where(values == NODATA, NODATA, reached).astype(np.uint8)
                yield window, cover[None]

        write_cog(
            mask,
            windows(),
            height=dataset.height,
            width=dataset.width,
            bands=1,
            dtype="uint8",
            transform=dataset.transform,
            nodata=NODATA,
            tags={**(tags or {}), "content": "cropland mask", "threshold": f"{threshold:g}"},
            descriptions=["cropland"],
            colormap=MASK_COLOURS,
        )


def _check_halo(
    dataset: rasterio.DatasetReader,
    window: PixelWindow,
    grid: BlockGrid,
    settings: SegmentationSettings,
    mosaic: Path,
) -> None:
    """Refuse a mosaic that ends inside a chip: another shard layout would give another map."""
    covered = raster_window(dataset, grid)
    chip, stride = settings.inference_chip, settings.stride_pixels
    rows = chip_origins(window.row, window.row + window.height, chip, stride)
    cols = chip_origins(window.col, window.col + window.width, chip, stride)
    lacking = max(
        covered.row - rows[0],
        covered.col - cols[0],
        rows[-1] + chip - covered.row - covered.height,
        cols[-1] + chip - covered.col - covered.width,
    )
    if lacking > 0:
        raise InputError(
            f"mosaic {mosaic} ends {lacking} pixels short of the chips of the segmentation",
            given=f"its halo is too narrow for chips of {chip} pixels",
            remedy=f"set mosaic.halo_pixels to at least {chip} and let the mosaics be made again",
        )


def _touches(blocks: list[Block], grid: BlockGrid) -> Callable[[PixelWindow], bool]:
    """Tells whether a chip shares a pixel with a planned block."""
    planned = set(blocks)
    size = grid.pixels_per_block

    def touches(chip: PixelWindow) -> bool:
        return any(
            Block(row, col) in planned
            for row in range(chip.row // size, (chip.row + chip.height - 1) // size + 1)
            for col in range(chip.col // size, (chip.col + chip.width - 1) // size + 1)
        )

    return touches


def _encode(
    strips: Iterator[tuple[PixelWindow, np.ndarray]],
    blocks: list[Block],
    window: PixelWindow,
    grid: BlockGrid,
    settings: SegmentationSettings,
) -> Iterator[tuple[Window, np.ndarray]]:
    """Probabilities as stored: uint8 (1, rows, columns), nodata outside the planned blocks."""
    size = grid.pixels_per_block
    rows = np.arange(window.row, window.row + window.height) // size
    cols = np.arange(window.col, window.col + window.width) // size
    planned: dict[int, set[int]] = {}
    for block in blocks:
        planned.setdefault(block.row, set()).add(block.col)
    inside = {row: np.isin(cols, sorted(members)) for row, members in planned.items()}
    nowhere = np.zeros(window.width, dtype=bool)
    total = -(-window.height // settings.stride_pixels) + 1
    for strip, probability in progress(strips, what="segmentation", unit="strips", total=total):
        missing = np.isnan(probability)
        values = np.rint(np.where(missing, 0, probability) * SCALE).astype(np.uint8)
        top = strip.row - window.row
        keep = np.stack([inside.get(row, nowhere) for row in rows[top : top + strip.height]])
        values[missing | ~keep] = NODATA
        yield Window(0, top, strip.width, strip.height), values[None]

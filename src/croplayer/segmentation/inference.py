"""Cropland probability and mask of one shard."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.rasters import open_raster
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.completeness import require_raster
from croplayer.grid.rasters import raster_window, read_window
from croplayer.segmentation import storage
from croplayer.segmentation.chips import Reader, chip_origins
from croplayer.segmentation.device import least_used_device, set_threads
from croplayer.segmentation.engine import PIECE_COLUMNS, Predictor, RunFigures
from croplayer.segmentation.writing import CogWriter
from croplayer.settings.segmentation import SegmentationSettings

log = logging.getLogger(__name__)

PIECES_AHEAD = 16
"""Pieces that may wait to be written: they come in bursts, a strip (12 in a degree) at a time."""
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
) -> RunFigures:
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

    Returns
    -------
    How many chips were computed, and how long the device worked at them.

    Raises InputError if the mosaic is not on the grid or its halo is too narrow, or if the model
    cannot be read; CompletenessError if the mosaic lacks a block.
    """
    set_threads(settings)
    model, description = storage.load_model(Path(model_dir))
    if description["chip_pixels"] > settings.inference_chip:
        log.warning(
            "the model was trained on chips of %s pixels and runs on smaller ones of %s",
            description["chip_pixels"],
            settings.inference_chip,
        )
    window = grid.shard_window(blocks)
    with open_raster(mosaic) as dataset:
        require_raster(dataset, blocks, grid, stage="build_mosaic")
        _check_halo(raster_window(dataset, grid), window, settings, mosaic)
    raster: dict[str, Any] = {
        "height": window.height,
        "width": window.width,
        "transform": grid.transform(window),
        "threads": max(torch.get_num_threads(), 1),
        "ahead": PIECES_AHEAD,
    }
    tags = {"model_sha256": storage.model_hash(Path(model_dir))}
    with least_used_device(settings) as device, _mosaic_reader(mosaic, grid) as read:
        predictor = Predictor(model, settings, device)
        pieces = predictor.pieces(window, read, _touches(blocks, grid), encode=_stored)
        with (
            closing(pieces),  # before the mosaic is, whatever happens: its threads read there
            CogWriter(probability, **raster, **_probability_raster(tags)) as probabilities,
            CogWriter(mask, **raster, **_mask_raster(tags, settings.threshold)) as masks,
        ):
            for place, values in _planned(pieces, blocks, window, grid, settings):
                probabilities.put(place, values)
                masks.put(place, _cover(values, settings.threshold))
    _tell(predictor.figures, window)
    return predictor.figures


@contextmanager
def _mosaic_reader(mosaic: Path, grid: BlockGrid) -> Iterator[Reader]:
    """A `Reader` of a mosaic for several threads, each of which opens the file for itself."""
    own = threading.local()
    with ExitStack() as stack:

        def read(part: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
            if not hasattr(own, "dataset"):
                own.dataset = open_raster(mosaic)
                stack.callback(own.dataset.close)
            bands, valid = read_window(own.dataset, grid, part, bands=(1, 2, 3))
            return bands.transpose(1, 2, 0), valid

        yield read


def _probability_raster(tags: dict[str, str]) -> dict[str, Any]:
    """What `write_cog` is told of a probability raster, beside its place."""
    return {
        "bands": 1,
        "dtype": "uint8",
        "nodata": NODATA,
        "tags": {**tags, "content": "cropland probability", "scale": f"probability x {SCALE}"},
        "descriptions": [f"cropland probability x {SCALE}"],
    }


def _mask_raster(tags: dict[str, str], threshold: float) -> dict[str, Any]:
    """What `write_cog` is told of a mask, beside its place."""
    return {
        "bands": 1,
        "dtype": "uint8",
        "nodata": NODATA,
        "tags": {**tags, "content": "cropland mask", "threshold": f"{threshold:g}"},
        "descriptions": ["cropland"],
        "colormap": MASK_COLOURS,
    }


def _cover(values: np.ndarray, threshold: float) -> np.ndarray:
    """The mask of stored probabilities: 1 where value / 250 >= threshold, 255 stays."""
    # Compared in whole numbers: 0.7 x 250 is not 175 in binary fractions.
    reached = values >= np.ceil(round(threshold * SCALE, 6))
    return np.where(values == NODATA, np.uint8(NODATA), reached.astype(np.uint8))


def _stored(probability: Tensor) -> Tensor:
    """Probabilities as stored, uint8: times 250 and rounded, 255 where there is none."""
    scaled = (probability * SCALE).round_()
    return torch.where(scaled.isnan(), NODATA, scaled).to(torch.uint8)


def _tell(figures: RunFigures, window: PixelWindow) -> None:
    """Log what a run did, so that a slow disk or a starved GPU shows."""
    log.info(
        "%d chips, %.3g million pixels in %.1f s; the network rested for %.0f %% of the time",
        figures.chips,
        window.height * window.width / 1e6,
        figures.seconds,
        100 * figures.idle_share,
    )


def _check_halo(
    covered: PixelWindow, window: PixelWindow, settings: SegmentationSettings, mosaic: Path
) -> None:
    """Refuse a mosaic that ends inside a chip: another shard layout would give another map."""
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


def _planned(
    pieces: Iterator[tuple[PixelWindow, np.ndarray]],
    blocks: list[Block],
    window: PixelWindow,
    grid: BlockGrid,
    settings: SegmentationSettings,
) -> Iterator[tuple[Window, np.ndarray]]:
    """Stored probabilities, uint8 (1, rows, columns), with nodata outside the planned blocks."""
    size = grid.pixels_per_block
    north, west = window.row // size, window.col // size
    planned = np.zeros((window.height // size, window.width // size), dtype=bool)
    for block in blocks:
        planned[block.row - north, block.col - west] = True
    strips = -(-window.height // settings.stride_pixels) + 1
    total = strips * -(-window.width // PIECE_COLUMNS)
    for piece, values in progress(pieces, what="segmentation", unit="pieces", total=total):
        rows = np.arange(piece.row, piece.row + piece.height) // size - north
        cols = np.arange(piece.col, piece.col + piece.width) // size - west
        keep = planned[rows[:, None], cols]
        yield (
            Window(piece.col - window.col, piece.row - window.row, piece.width, piece.height),
            np.where(keep, values, np.uint8(NODATA))[None],
        )

"""The place of every block in the feature space of the segmentation model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from cropbase.errors import CompletenessError
from cropbase.jobs import progress
from cropbase.rasters import open_raster
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.rasters import read_window
from croplayer.segmentation import storage
from croplayer.segmentation.device import set_threads
from croplayer.segmentation.engine import Predictor
from croplayer.settings.segmentation import SegmentationSettings


def embed_blocks(
    *,
    blocks: Mapping[str, Sequence[Block]],
    mosaics: Mapping[str, Mapping[str, Path]],
    grid: BlockGrid,
    model_dir: Path,
    settings: SegmentationSettings,
    chips_per_edge: int,
) -> dict[tuple[str, str], np.ndarray]:
    """Mean encoder features of the chips of every block and source.

    Parameters
    ----------
    blocks : shard -> its planned blocks.
    mosaics : source -> shard -> imagery, uint8 RGB with validity mask.
    settings : device, precision and batch size are taken from here; the size of a chip is that the
        model was trained on.
    chips_per_edge : chips along the edge of a block, spread evenly over it.

    Returns
    -------
    (block_id, source) -> float32 (channels,); no entry where no chip has imagery. Chips count by
    their share of valid pixels.
    """
    set_threads(settings)
    model, description = storage.load_model(Path(model_dir))
    predictor = Predictor(model, settings)
    chip = description["chip_pixels"]
    found: dict[tuple[str, str], np.ndarray] = {}
    every = [(source, shard) for source in mosaics for shard in blocks]
    for source, shard in progress(every, what="feature space", unit="shards"):
        if shard not in mosaics[source]:
            raise CompletenessError(
                f"shard {shard} of source {source!r} has no mosaic",
                remedy="run `snakemake --forcerun build_mosaic`",
            )
        with open_raster(mosaics[source][shard]) as dataset:
            for block in blocks[shard]:
                chips = [
                    read_window(dataset, grid, window, bands=(1, 2, 3))
                    for window in chip_windows(grid.block_window(block), chip, chips_per_edge)
                ]
                rgb = np.stack([bands.transpose(1, 2, 0) for bands, _ in chips])
                valid = np.stack([there for _, there in chips])
                share = valid.mean(axis=(1, 2))
                if share.any():
                    features = embed_chips(predictor, rgb[share > 0], valid[share > 0])
                    mean = np.average(features, axis=0, weights=share[share > 0])
                    found[grid.block_id(block), source] = mean.astype(np.float32)
    return found


def embed_chips(predictor: Predictor, rgb: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Encoder features of chips, averaged over each.

    Parameters
    ----------
    rgb : uint8 (chips, rows, columns, 3).
    valid : bool (chips, rows, columns); the rest is filled with the mean of the training images.

    Returns float32 (chips, channels).
    """
    parts = []
    for first in range(0, len(rgb), predictor.batch_size):
        part = slice(first, first + predictor.batch_size)
        images = torch.from_numpy(rgb[part]).to(predictor.device)
        there = torch.from_numpy(valid[part]).to(predictor.device)
        parts.append(predictor.network.embedding(images, there).cpu().numpy())
    return np.concatenate(parts)


def chip_windows(block: PixelWindow, chip: int, per_edge: int) -> list[PixelWindow]:
    """`per_edge` x `per_edge` chips spread evenly over a block.

    The first and the last touch its edges; a single one, or chips larger than the block, lie in
    the middle.
    """

    def origins(start: int, size: int) -> list[int]:
        if per_edge == 1 or chip >= size:
            return [start + (size - chip) // 2]
        return [start + round(k * (size - chip) / (per_edge - 1)) for k in range(per_edge)]

    return [
        PixelWindow(row, col, chip, chip)
        for row in origins(block.row, block.height)
        for col in origins(block.col, block.width)
    ]

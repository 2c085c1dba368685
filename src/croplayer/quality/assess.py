"""The quality table of one source and shard (paper, section 3.1)."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cropbase.jobs import progress
from cropbase.tables import write_table
from croplayer.grid import Block, BlockGrid
from croplayer.grid.completeness import require_blocks, require_raster
from croplayer.quality.coverage import CLASSES, CoverageType, is_nodata
from croplayer.quality.features import image_features
from croplayer.quality.images import open_mosaic, read_block, reduce_image
from croplayer.quality.model import load_model, pick_device
from croplayer.settings.quality import QualitySettings

log = logging.getLogger(__name__)

COLUMNS = (
    "block_id",
    "source",
    *(f"p_{name}" for name in CLASSES),
    "coverage_type",
    "sharpness",
    "hue",
    "saturation",
    "lightness",
    "valid_fraction",
)
"""Columns of the quality table, in order."""


def assess_quality(
    *,
    mosaic: Path,
    source_name: str,
    blocks: list[Block],
    grid: BlockGrid,
    model_dir: Path,
    settings: QualitySettings,
    output: Path,
    threads: int | None = None,
) -> None:
    """Write the quality table of a shard: exactly the planned blocks, sorted.

    A block with a share of valid pixels below `settings.nodata_below` is `nodata` by rule, with
    probability 1; the network tells the others. Features as `image_features` defines them,
    missing (NaN) where nothing defines them. Block by block: memory is that of one block, and no
    value depends on the shard that holds the block.

    Raises InputError for a mosaic that is damaged or off the grid, and for a model that cannot be
    read; CompletenessError if the mosaic lacks a block, or a block is given twice.
    """
    device = pick_device(settings.device)
    with _threads(threads), open_mosaic(mosaic, grid) as dataset:
        require_raster(dataset, blocks, grid, stage="build_mosaic")
        model = load_model(Path(model_dir), device)
        rows = []
        for block in progress(sorted(blocks), what=f"quality of {source_name}", unit="block"):
            rgb, valid = read_block(dataset, grid, block, margin=1)
            features = image_features(rgb, valid)
            if is_nodata(features.valid_fraction, settings.nodata_below):
                p = np.array([float(name == CoverageType.NODATA) for name in CLASSES])
            else:
                inner = rgb[:, 1:-1, 1:-1], valid[1:-1, 1:-1]
                p = model.probabilities(reduce_image(*inner, model.image_pixels), device)
            values = (
                grid.block_id(block),
                source_name,
                *p.tolist(),
                CLASSES[int(np.argmax(p))],
                features.sharpness,
                features.hue,
                features.saturation,
                features.lightness,
                features.valid_fraction,
            )
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    require_blocks(table, blocks, grid, stage="assess_quality", per_source=[source_name])
    counts = table["coverage_type"].value_counts()
    log.info("%s: %s", mosaic, ", ".join(f"{n} {name}" for name, n in counts.items()))
    write_table(table, output)


@contextmanager
def _threads(count: int | None):
    """So many CPU threads of PyTorch within the block."""
    before = torch.get_num_threads()
    try:
        if count:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)

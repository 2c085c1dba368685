"""The signs of a wrong map of every block and source, read from the rasters block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cropbase.errors import CompletenessError, ConfigError
from cropbase.jobs import progress
from cropbase.rasters import open_raster
from croplayer.active.choosing.signals import histograms, mean_uncertainty, share_where
from croplayer.blocks.features import compare_masks, read_mask
from croplayer.comparison.codes import IN, OUT
from croplayer.comparison.reader import ProductReader
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.rasters import read_window
from croplayer.settings.active import ActiveSettings
from croplayer.settings.products import ProductRaster

Product = tuple[ProductRaster, Sequence[Path]]
"""What the codes of an existing product mean, and its files."""


@dataclass(frozen=True)
class Measured:
    """What the rasters say of every block and source.

    table : a row a block and source: block_id, source, valid_share, entropy (mean over the pixels,
        bits), margin (mean of |2p - 1|), disagreement (share of the pixels that only one of the
        two sources maps), consistency (IoU of their maps), and `product_<name>` for each product
        (share of the pixels where it differs).
    windows : (block_id, source) -> sign -> (windows_per_edge, windows_per_edge) float64, the same
        signs of every window of the block.
    """

    table: pd.DataFrame
    windows: dict[tuple[str, str], dict[str, np.ndarray]]


def measure_blocks(
    *,
    blocks: Mapping[str, Sequence[Block]],
    probability: Mapping[str, Mapping[str, Path]],
    masks: Mapping[str, Mapping[str, Path]],
    grid: BlockGrid,
    settings: ActiveSettings,
    products: Mapping[str, Product] | None = None,
) -> Measured:
    """Read probabilities, masks and products once, a block at a time.

    Parameters
    ----------
    blocks : shard -> its planned blocks.
    probability, masks : source -> shard -> raster (uint8 0-250 and 255; uint8 0, 1 and 255).
    products : name -> what its codes mean, and its files in their order of precedence.

    Raises ConfigError if windows_per_edge does not divide a block, InputError for rasters that
    cannot be used, CompletenessError if a shard has no raster.
    """
    per_edge = settings.windows_per_edge
    if grid.pixels_per_block % per_edge:
        raise ConfigError(
            "active.windows_per_edge does not divide grid.pixels_per_block",
            given=f"{per_edge} windows, {grid.pixels_per_block} pixels",
            allowed=", ".join(str(n) for n in range(1, 65) if grid.pixels_per_block % n == 0),
        )
    rows: list[dict] = []
    windows: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    with ExitStack() as stack:
        readers = {
            name: stack.enter_context(ProductReader(raster, files, grid))
            for name, (raster, files) in (products or {}).items()
        }
        every = [(shard, block) for shard, members in blocks.items() for block in members]
        reader = _Shards(probability, masks, grid)
        stack.callback(reader.close)
        for shard, block in progress(every, what="signs of a wrong map", unit="blocks"):
            for row, signs in _measure_block(reader, shard, block, readers, grid, settings):
                rows.append(row)
                windows[row["block_id"], row["source"]] = signs
    return Measured(pd.DataFrame(rows), windows)


def _measure_block(
    reader: _Shards,
    shard: str,
    block: Block,
    products: Mapping[str, ProductReader],
    grid: BlockGrid,
    settings: ActiveSettings,
) -> Iterator[tuple[dict, dict[str, np.ndarray]]]:
    """(row, signs of the windows) of each source."""
    per_edge = settings.windows_per_edge
    window = grid.block_window(block)
    known = {source: reader.mask(shard, source, window) for source in reader.sources}
    mapped = {name: _cropland(product, window) for name, product in products.items()}
    shared = {"disagreement": np.nan, "consistency": np.nan}
    disputed = np.full((per_edge, per_edge), np.nan)
    if len(known) == 2:
        (first, valid_first), (second, valid_second) = known.values()
        both = valid_first & valid_second
        disputed = share_where(first != second, both, per_edge)
        shared["disagreement"] = float(share_where(first != second, both, 1)[0, 0])
        shared["consistency"] = compare_masks(first, valid_first, second, valid_second)[0]
    for source, (cropland, valid) in known.items():
        counts = histograms(reader.probability(shard, source, window), per_edge)
        row = {"block_id": grid.block_id(block), "source": source}
        row["valid_share"] = float(valid.mean())
        whole = counts.sum(axis=(0, 1))
        row["entropy"] = float(mean_uncertainty(whole, "entropy"))
        row["margin"] = 1 - float(mean_uncertainty(whole, "margin"))
        row |= shared
        signs = {
            "uncertainty": mean_uncertainty(counts, settings.uncertainty),
            "disagreement": disputed,
        }
        for name, (crop, there) in mapped.items():
            differs, comparable = crop != cropland, there & valid
            row[f"product_{name}"] = float(share_where(differs, comparable, 1)[0, 0])
            signs[f"product_{name}"] = share_where(differs, comparable, per_edge)
        yield row, signs


def _cropland(product: ProductReader, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
    """(cropland, known), each bool (rows, columns). A class of which its definition does not say
    whether it is cropland cannot contradict the own map: unknown."""
    _, states = product.read(window)
    cropland = states == IN
    return cropland, cropland | (states == OUT)


class _Shards:
    """The rasters of one shard at a time, opened once."""

    def __init__(
        self,
        probability: Mapping[str, Mapping[str, Path]],
        masks: Mapping[str, Mapping[str, Path]],
        grid: BlockGrid,
    ) -> None:
        self.sources = list(probability)
        self._paths = {"probability": probability, "mask": masks}
        self._grid = grid
        self._shard: str | None = None
        self._open = ExitStack()
        self._rasters: dict[tuple[str, str], object] = {}

    def probability(self, shard: str, source: str, window) -> np.ndarray:
        """uint8 (rows, columns), 255 outside the raster."""
        values, inside = read_window(self._raster("probability", shard, source), self._grid, window)
        return np.where(inside, values[0], np.uint8(255))

    def mask(self, shard: str, source: str, window) -> tuple[np.ndarray, np.ndarray]:
        """(cropland, valid), each bool (rows, columns)."""
        return read_mask(self._raster("mask", shard, source), self._grid, window)

    def close(self) -> None:
        """Close the rasters of the shard read last."""
        self._open.close()
        self._rasters.clear()

    def _raster(self, stage: str, shard: str, source: str):
        if shard != self._shard:
            self.close()
            self._shard = shard
        if (stage, source) not in self._rasters:
            paths = self._paths[stage][source]
            if shard not in paths:
                raise CompletenessError(
                    f"shard {shard} of source {source!r} has no {stage} raster",
                    remedy="run `snakemake --forcerun segment_shard`",
                )
            self._rasters[stage, source] = self._open.enter_context(open_raster(paths[shard]))
        return self._rasters[stage, source]

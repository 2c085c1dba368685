"""The signs of a wrong map of blocks and of their windows, read from the rasters block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cropbase.errors import CompletenessError
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


def measure_blocks(
    *,
    blocks: Mapping[str, Sequence[Block]],
    probability: Mapping[str, Mapping[str, Path]],
    masks: Mapping[str, Mapping[str, Path]],
    grid: BlockGrid,
    products: Mapping[str, Product] | None = None,
) -> pd.DataFrame:
    """Read probabilities, masks and products once, a block at a time.

    Parameters
    ----------
    blocks : shard -> its planned blocks.
    probability, masks : source -> shard -> raster (uint8 0-250 and 255; uint8 0, 1 and 255).
    products : name -> what its codes mean, and its files in their order of precedence.

    Returns
    -------
    A row a block and source: block_id, source, valid_share, entropy (mean over the pixels, bits),
    margin (mean of |2p - 1|), disagreement (share of the pixels that only one of the two sources
    maps), consistency (IoU of their maps), and `product_<name>` for each product (share of the
    pixels where it differs).

    Raises InputError for rasters that cannot be used, CompletenessError if a shard has no raster.
    """
    rows: list[dict] = []
    with _Reader(probability, masks, products, grid) as reader:
        every = [(shard, block) for shard, members in blocks.items() for block in members]
        for shard, block in progress(every, what="signs of a wrong map", unit="blocks"):
            pixels = reader.read(shard, block)
            consistency = _consistency(pixels)
            for source, (_, valid) in pixels.maps.items():
                counts = histograms(pixels.stored[source], 1)
                row = {"block_id": grid.block_id(block), "source": source}
                row["valid_share"] = float(valid.mean())
                row["entropy"] = float(mean_uncertainty(counts, "entropy")[0, 0])
                row["margin"] = 1 - float(mean_uncertainty(counts, "margin")[0, 0])
                differences = _differences(pixels, source, 1)
                row |= {name: float(share[0, 0]) for name, share in differences.items()}
                rows.append(row | {"consistency": consistency})
    return pd.DataFrame(rows)


def measure_windows(
    *,
    chosen: Sequence[tuple[str, str]],
    probability: Mapping[str, Mapping[str, Path]],
    masks: Mapping[str, Mapping[str, Path]],
    grid: BlockGrid,
    settings: ActiveSettings,
    products: Mapping[str, Product] | None = None,
) -> dict[tuple[str, str], pd.DataFrame]:
    """The same signs of every window of some blocks.

    Parameters
    ----------
    chosen : (block_id, source). The others as `measure_blocks`.

    Returns
    -------
    (block_id, source) -> a row a window, counted from the north-west, row by row: uncertainty (as
    configured; missing without imagery), disagreement, and product (mean over the products).
    """
    per_edge = settings.windows_along(grid.pixels_per_block)
    found: dict[tuple[str, str], pd.DataFrame] = {}
    with _Reader(probability, masks, products, grid) as reader:
        # In the order of the shards, each of which is opened once.
        places = [(grid.parse_block_id(block_id), source) for block_id, source in chosen]
        places = sorted((grid.shard_id(block), block, source) for block, source in places)
        for shard, block, source in progress(places, what="extents to label", unit="blocks"):
            pixels = reader.read(shard, block)
            counts = histograms(pixels.stored[source], per_edge)
            signs = {"uncertainty": mean_uncertainty(counts, settings.uncertainty)}
            signs |= _differences(pixels, source, per_edge)
            table = pd.DataFrame({name: values.ravel() for name, values in signs.items()})
            of_products = [name for name in table if name.startswith("product_")]
            if of_products:
                table["product"] = table[of_products].mean(axis=1)
            found[grid.block_id(block), source] = table.drop(columns=of_products)
    return found


@dataclass(frozen=True)
class _Pixels:
    """What the rasters hold of one block; every array is (rows, columns).

    stored : source -> uint8 probability, 0-250 and 255.
    maps : source -> (cropland, valid), bool.
    products : name -> (cropland, known), bool.
    """

    stored: dict[str, np.ndarray]
    maps: dict[str, tuple[np.ndarray, np.ndarray]]
    products: dict[str, tuple[np.ndarray, np.ndarray]]


def _differences(pixels: _Pixels, source: str, per_edge: int) -> dict[str, np.ndarray]:
    """`disagreement` of the sources (missing unless there are two) and `product_<name>`: share of
    the pixels of each window that differ, (per_edge, per_edge) float64."""
    shares = {"disagreement": np.full((per_edge, per_edge), np.nan)}
    if len(pixels.maps) == 2:
        (first, valid_first), (second, valid_second) = pixels.maps.values()
        both = valid_first & valid_second
        shares["disagreement"] = share_where(first != second, both, per_edge)
    cropland, valid = pixels.maps[source]
    for name, (crop, there) in pixels.products.items():
        shares[f"product_{name}"] = share_where(crop != cropland, there & valid, per_edge)
    return shares


def _consistency(pixels: _Pixels) -> float:
    """IoU of the maps of the two sources; NaN unless there are two."""
    if len(pixels.maps) != 2:
        return np.nan
    (first, valid_first), (second, valid_second) = pixels.maps.values()
    return compare_masks(first, valid_first, second, valid_second)[0]


def _cropland(product: ProductReader, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
    """(cropland, known), each bool (rows, columns). A class of which its definition does not say
    whether it is cropland cannot contradict the own map: unknown."""
    _, states = product.read(window)
    cropland = states == IN
    return cropland, cropland | (states == OUT)


class _Reader:
    """Rasters and products, block by block; the rasters of one shard at a time are open."""

    def __init__(
        self,
        probability: Mapping[str, Mapping[str, Path]],
        masks: Mapping[str, Mapping[str, Path]],
        products: Mapping[str, Product] | None,
        grid: BlockGrid,
    ) -> None:
        self._paths = {"probability": probability, "mask": masks}
        self._grid = grid
        self._shard: str | None = None
        self._open, self._always = ExitStack(), ExitStack()
        self._rasters: dict[tuple[str, str], object] = {}
        self._products = {
            name: self._always.enter_context(ProductReader(raster, files, grid))
            for name, (raster, files) in (products or {}).items()
        }

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._always.close()

    def read(self, shard: str, block: Block) -> _Pixels:
        """All that is known of the pixels of a block."""
        window, sources = self._grid.block_window(block), self._paths["probability"]
        return _Pixels(
            {source: self._probability(shard, source, window) for source in sources},
            {
                source: read_mask(self._raster("mask", shard, source), self._grid, window)
                for source in sources
            },
            {name: _cropland(product, window) for name, product in self._products.items()},
        )

    def _probability(self, shard: str, source: str, window: PixelWindow) -> np.ndarray:
        """uint8 (rows, columns), 255 outside the raster."""
        values, inside = read_window(self._raster("probability", shard, source), self._grid, window)
        return np.where(inside, values[0], np.uint8(255))

    def _raster(self, stage: str, shard: str, source: str):
        if shard != self._shard:
            self._open.close()
            self._rasters.clear()
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

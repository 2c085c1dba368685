"""Imagery of one source and shard, brought to the global pixel grid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from cropbase.errors import CompletenessError, InputError
from cropbase.jobs import progress
from cropbase.rasters import write_cog
from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.sources import MbtilesSource, RasterSource, XyzSource
from croplayer.tiles.checks import check_source, expand_path, raster_paths
from croplayer.tiles.coverage import covering_tiles
from croplayer.tiles.ledger import TileReader
from croplayer.tiles.raster_reader import RasterImagery
from croplayer.tiles.tile_reader import TileImagery

log = logging.getLogger(__name__)

WINDOW_PIXELS = 1024
"""Edge of the windows, pixels; a multiple of the blocks of the file."""

Sample = Callable[[PixelWindow], tuple[np.ndarray, np.ndarray]]


def build_mosaic(
    *,
    source_name: str,
    source: XyzSource | RasterSource | MbtilesSource,
    tiles: Path | None,
    grid: BlockGrid,
    blocks: Sequence[Block],
    mosaic: MosaicSettings,
    output: Path,
) -> None:
    """Resample the imagery of a source to the global pixel grid, window by window.

    The file covers the bounding rectangle of `blocks` and a halo of `mosaic.halo_pixels`: uint8
    RGB, EPSG:4326, with an internal validity mask. What is farther than the halo from every block
    is invalid and 0. The value of a pixel depends on its place on the globe and on the imagery
    alone, not on windows or shards (with a lossless compression, the stored value too).

    Parameters
    ----------
    tiles : the file of `fetch_tiles`, for an XyzSource; otherwise not used.
    output : the COG.

    Raises
    ------
    InputError : no blocks; a raster without CRS, with too few bands, not uint8, ...; damaged tiles.
    CompletenessError : `tiles` was fetched for other blocks and lacks some.
    """
    if not blocks:
        raise InputError("no blocks are given to make a mosaic of")
    halo = mosaic.halo_pixels
    whole = grid.shard_window(blocks).buffered(halo)
    with ExitStack() as stack:
        sample = _open(stack, source_name, source, tiles, grid, blocks, mosaic)
        near = [grid.block_window(block).buffered(halo) for block in blocks]
        counts = {"valid": 0, "planned": 0}
        write_cog(
            output,
            _windows(source_name, sample, whole, near, counts),
            height=whole.height,
            width=whole.width,
            bands=3,
            dtype="uint8",
            transform=grid.transform(whole),
            compression=mosaic.compression,
            quality=mosaic.quality if mosaic.compression in ("jpeg", "webp") else None,
            overview_resampling="average",
            tags=_tags(source_name, source, mosaic),
            descriptions=["red", "green", "blue"],
        )
    share = counts["valid"] / counts["planned"]
    log.info("source %s: imagery for %.2f %% of the pixels", source_name, 100 * share)
    if share == 0:
        log.warning("source %s has no imagery at all for %s", source_name, output)


def _open(
    stack: ExitStack,
    source_name: str,
    source: XyzSource | RasterSource | MbtilesSource,
    tiles: Path | None,
    grid: BlockGrid,
    blocks: Sequence[Block],
    mosaic: MosaicSettings,
) -> Sample:
    """What samples the source; opened files are closed with `stack`."""
    if isinstance(source, RasterSource):
        check_source(source_name, source)
        paths = raster_paths(source_name, source)
        return stack.enter_context(RasterImagery(paths, source, grid, mosaic.resampling)).sample
    matrix = TileMatrix(source.zoom, source.tile_pixels)
    if isinstance(source, MbtilesSource):
        check_source(source_name, source)
        reader = TileReader(expand_path(source_name, "path", source.path), source.zoom)
        stack.enter_context(reader)
    else:
        if tiles is None:
            raise InputError(
                f"the mosaic of source '{source_name}' needs its tiles", remedy="fetch them first"
            )
        reader = stack.enter_context(TileReader(Path(tiles), source.zoom))
        _require_tiles(reader, matrix, source, grid, blocks, mosaic.halo_pixels)
    return TileImagery(reader, matrix, source.datum, grid, mosaic.resampling).sample


def _require_tiles(
    reader: TileReader,
    matrix: TileMatrix,
    source: XyzSource,
    grid: BlockGrid,
    blocks: Sequence[Block],
    halo_pixels: int,
) -> None:
    """Raise CompletenessError unless every needed tile is stored or known to be absent."""
    xs, ys = covering_tiles(matrix, source.datum, grid, blocks, halo_pixels)
    settled = reader.settled() if reader.has_ledger else set()
    missing = [tile for tile in zip(xs.tolist(), ys.tolist(), strict=True) if tile not in settled]
    if missing:
        x, y = missing[0]
        raise CompletenessError(
            f"{reader.path} lacks {len(missing)} of {len(xs)} tiles, the first "
            f"{source.zoom}/{x}/{y}",
            given="it was fetched for other blocks, another zoom or halo",
            remedy="`snakemake --forcerun fetch_tiles`: the tiles that it has are kept",
        )


def _windows(
    source_name: str,
    sample: Sample,
    whole: PixelWindow,
    near: list[PixelWindow],
    counts: dict[str, int],
) -> Iterator[tuple[Window, np.ndarray, np.ndarray]]:
    """Windows with imagery; those far from every block are left out (and so invalid)."""
    corners = [
        (row, col)
        for row in range(0, whole.height, WINDOW_PIXELS)
        for col in range(0, whole.width, WINDOW_PIXELS)
    ]
    for row, col in progress(corners, what=f"mosaic of {source_name}", unit="windows"):
        window = PixelWindow(
            whole.row + row,
            whole.col + col,
            min(WINDOW_PIXELS, whole.height - row),
            min(WINDOW_PIXELS, whole.width - col),
        )
        planned = _planned(window, near)
        if planned is None:
            continue
        rgb, valid = sample(window)
        valid = valid & planned
        rgb[~valid] = 0
        counts["planned"] += int(np.count_nonzero(planned))
        counts["valid"] += int(np.count_nonzero(valid))
        yield Window(col, row, window.width, window.height), np.moveaxis(rgb, -1, 0), valid


def _planned(window: PixelWindow, near: list[PixelWindow]) -> np.ndarray | None:
    """Which pixels of a window belong to a block or its halo; None if none does."""
    inside: np.ndarray | None = None
    for other in near:
        top, left = max(other.row, window.row), max(other.col, window.col)
        bottom = min(other.row + other.height, window.row + window.height)
        right = min(other.col + other.width, window.col + window.width)
        if top < bottom and left < right:
            if inside is None:
                inside = np.zeros((window.height, window.width), bool)
            rows = slice(top - window.row, bottom - window.row)
            inside[rows, left - window.col : right - window.col] = True
    return inside


def _tags(
    source_name: str, source: XyzSource | RasterSource | MbtilesSource, mosaic: MosaicSettings
) -> dict[str, str]:
    """Metadata of the file."""
    tags = {
        "SOURCE": source_name,
        "SOURCE_KIND": source.kind,
        "ATTRIBUTION": source.attribution,
        "GENERATED": "yes" if source.generated else "no",
        "DATUM": "wgs84",
        "RESAMPLING": mosaic.resampling,
        "HALO_PIXELS": str(mosaic.halo_pixels),
    }
    if not isinstance(source, RasterSource):
        tags["SOURCE_DATUM"] = source.datum
        tags["SOURCE_ZOOM"] = str(source.zoom)
    return tags

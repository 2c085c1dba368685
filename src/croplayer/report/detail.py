"""A few places at full resolution: both images, both masks, and the integrated map's outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cropbase.errors import InputError
from cropbase.figures import image, save_figure
from cropbase.tables import read_table
from croplayer.export.mosaic import MapMosaic
from croplayer.export.outlines import trace
from croplayer.export.straighten import simplify
from croplayer.grid.blocks import BlockGrid, PixelWindow
from croplayer.grid.planning import read_plan
from croplayer.report.maps import share_picture
from croplayer.report.shards import read_codes, read_imagery
from croplayer.report.style import INK, map_axes, new_figure
from croplayer.settings.export import ExportSettings

MOST_PLACES = 4
WINDOW_PIXELS = 360
"""Edge of a place: a panel shows it pixel by pixel."""


def plot_detail(
    *,
    mosaics: dict[str, list[Path]],
    masks: dict[str, list[Path]],
    maps: list[Path],
    blocks: Path,
    features: list[Path],
    grid: BlockGrid,
    output: Path,
    options: Path | None = None,
    settings: ExportSettings | None = None,
    title: str = "",
    note: str = "",
) -> None:
    """Places side by side at full resolution (PNG): images, masks, integrated map with outlines.

    Parameters
    ----------
    mosaics, masks : source -> rasters, A first. maps : the final map (with one source, its mask).
    features : feature tables, from which `choose_blocks` takes the blocks; `options` likewise.
    settings : how outlines are simplified; those of the county files.

    Each place is the window of a block, at most 360 pixels square, with the most field borders.
    Raises InputError if there is no block to show or a file cannot be used.
    """
    settings = settings or ExportSettings()
    plan = read_plan(blocks)
    table = pd.concat([read_table(path) for path in features], ignore_index=True)
    sources = list(mosaics)
    words = dict(zip(("only_a", "only_b"), (f"only {name}" for name in sources), strict=False))
    chosen = choose_blocks(plan, table, read_table(options) if options is not None else None, words)
    if not chosen:
        raise InputError(f"plan {blocks} has no block in the feature tables")
    columns = 2 * len(sources) + 1
    figure = new_figure(0.6 + 2.7 * columns, 0.8 + 2.95 * len(chosen), title=title, note=note)
    axes = figure.subplots(len(chosen), columns, squeeze=False)
    with MapMosaic(maps, grid) as final:
        for row, (block_id, reason) in zip(axes, chosen.items(), strict=True):
            window = _busiest(final, grid, grid.block_window(grid.parse_block_id(block_id)))
            extent = grid.window_bounds(window)
            edge = max(window.height, window.width)
            for k, source in enumerate(sources):
                row[k].imshow(read_imagery(mosaics[source], extent, edge), extent=image(extent))
                map_axes(row[k], extent, f"Imagery: {source}")
                codes = read_codes(masks[source], extent, edge)
                _draw_codes(row[len(sources) + k], codes, extent)
                map_axes(row[len(sources) + k], extent, f"Mask: {source}")
            codes = final.read(window)
            _draw_codes(row[-1], codes, extent)
            map_axes(row[-1], extent, "Integrated, with outlines")
            _draw_outlines(row[-1], codes == 1, extent, settings)
            row[0].set_ylabel(f"{block_id}\n{reason}", fontsize=8)
            for panel in row[1:]:
                panel.tick_params(labelleft=False)
    save_figure(figure, output)


def choose_blocks(
    plan: pd.DataFrame,
    features: pd.DataFrame,
    options: pd.DataFrame | None,
    words: dict[str, str] | None = None,
) -> dict[str, str]:
    """block_id -> why it is shown; at most four, none twice, the same for the same tables.

    In this order: the most cropland (mean over the sources), the most regions (the sum of
    solidities, nearly their number), then for each option the block with the largest difference
    between the sources: only A, only B, both, neither (`words` are names for these).
    """
    by_block = features.groupby("block_id")
    area = by_block["area"].mean()
    facts = pd.DataFrame(
        {
            "area": area.fillna(0.0),
            "regions": by_block["solidity_total"].mean().fillna(0.0),
            "difference": (by_block["area"].max() - by_block["area"].min()).fillna(0.0),
        }
    )
    facts = facts[facts.index.isin(plan["block_id"])].sort_index()
    # A block that is mostly outside the province shows little.
    inside = plan.set_index("block_id")["inside_ha"].reindex(facts.index)
    whole = facts[inside >= 0.5 * inside.max()]
    facts = whole if len(whole) else facts
    chosen: dict[str, str] = {}

    def take(candidates: pd.DataFrame, by: str, reason: str) -> None:
        left = candidates[~candidates.index.isin(chosen)]
        if len(left) and len(chosen) < MOST_PLACES:
            chosen[str(left[by].idxmax())] = reason

    take(facts, "area", "most cropland")
    take(facts, "regions", "most fields apart")
    if options is not None:
        option = options.set_index("block_id")["option"].reindex(facts.index)
        for name in ("only_a", "only_b", "both", "neither"):
            take(facts[option == name], "difference", f"option: {(words or {}).get(name, name)}")
    return chosen


def _busiest(final: MapMosaic, grid: BlockGrid, block: PixelWindow) -> PixelWindow:
    """The window of a block with the most borders between cropland and the rest."""
    size = min(WINDOW_PIXELS, block.height)
    codes = final.read(block)
    crop = (codes == 1).astype(np.int8)
    edges = np.zeros(codes.shape, dtype=np.int64)
    edges[1:] += np.abs(np.diff(crop, axis=0))
    edges[:, 1:] += np.abs(np.diff(crop, axis=1))
    edges[codes >= 254] = 0
    total = np.pad(edges.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    step = max(size // 4, 1)
    best, place = -1, (0, 0)
    for r in range(0, block.height - size + 1, step):
        for c in range(0, block.width - size + 1, step):
            inside = total[r + size, c + size] - total[r, c + size] - total[r + size, c]
            inside += total[r, c]
            if inside > best:
                best, place = inside, (r, c)
    return PixelWindow(block.row + place[0], block.col + place[1], size, size)


def _draw_codes(axes, codes: np.ndarray, extent) -> None:
    known = (codes <= 1).astype(float)
    picture = share_picture((codes == 1).astype(float), (codes == 254).astype(float), known)
    axes.imshow(picture, extent=image(extent), interpolation="nearest")


def _draw_outlines(axes, crop: np.ndarray, extent, settings: ExportSettings) -> None:
    outlines, heading = trace(crop)
    found = simplify(
        outlines,
        heading,
        rows=crop.shape[0],
        cols=crop.shape[1],
        tolerance_pixels=settings.tolerance_pixels,
        offset_pixels=settings.offset_pixels,
    )
    west, south, east, north = extent
    x = west + found.x / (2 * crop.shape[1]) * (east - west)
    y = north - found.y / (2 * crop.shape[0]) * (north - south)
    for a, b, closed in zip(found.starts[:-1], found.starts[1:], found.closed, strict=True):
        index = np.r_[a:b, a] if closed else np.r_[a:b]
        axes.plot(x[index], y[index], color=INK, linewidth=0.7)

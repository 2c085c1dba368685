"""Plates of maps: a few blocks of the final map beside every product, at full resolution."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from cropbase.figures import image, save_figure
from cropbase.tables import read_table
from croplayer.comparison.codes import IN, KNOWN
from croplayer.comparison.reader import ProductReader
from croplayer.grid import BlockGrid
from croplayer.report.shards import read_imagery
from croplayer.report.style import (
    BLUE,
    CROPLAND_COLOURS,
    GREEN,
    INK,
    ORANGE,
    map_axes,
    new_figure,
)
from croplayer.settings.products import ProductRaster
from croplayer.validation.confusion import Confusion
from croplayer.validation.maps import ShardedMap

PIXELS = 480
"""Edge of a picture; blocks are thinned to it, so that a pixel of the map is never mixed."""
UNKNOWN = "#9A9A9A"
_CODES = {
    "both": GREEN,
    "only the final map": BLUE,
    "only the product": ORANGE,
    "neither": CROPLAND_COLOURS[0],
    "not compared": UNKNOWN,
}


def choose_blocks(table: pd.DataFrame, count: int) -> list[str]:
    """Ids of `count` blocks that hold cropland, evenly from the most to the least disagreement.

    `table` as `summarise_comparison` writes it; disagreement is the share of the compared pixels of
    all products that only one of the maps calls cropland.
    """
    pixels = table.groupby("block_id")[[c for c in table.columns if c.startswith("px_")]].sum()
    compared = pixels.sum(axis=1)
    wrong = pixels["px_crop_out"] + pixels["px_crop_unclear"] + pixels["px_other_in"]
    cropland = pixels["px_crop_in"] + pixels["px_crop_unclear"] + pixels["px_crop_out"]
    holds = (compared > 0.5 * compared.max()) & (cropland > 0)
    share = (wrong / compared)[holds].sort_index().sort_values(ascending=False, kind="stable")
    places = np.unique(np.linspace(0, len(share) - 1, min(count, len(share))).round().astype(int))
    return [str(share.index[k]) for k in places]


def plot_plates(
    *,
    compared: Path,
    maps: list[Path],
    mosaics: list[Path],
    products: dict[str, ProductRaster],
    titles: dict[str, str],
    files: dict[str, list[Path]],
    grid: BlockGrid,
    count: int,
    output: Path,
    title: str,
    note: str,
) -> None:
    """A row a block: imagery, the final map, and where each product agrees with it (PNG).

    Parameters
    ----------
    compared : block table of `summarise_comparison`. maps : the final map. mosaics : imagery of the
        first source. files : product -> its files. count : blocks to draw (`choose_blocks`).

    Raises InputError for files that cannot be used.
    """
    chosen = choose_blocks(read_table(compared), count)
    columns, rows = 2 + len(titles), max(len(chosen), 1)
    figure = new_figure(0.6 + 2.6 * columns, 1.4 + 2.7 * rows, title=title, note=note)
    grid_spec = figure.add_gridspec(rows + 1, columns, height_ratios=[*[1.0] * rows, 0.08])
    axes = [[figure.add_subplot(grid_spec[i, j]) for j in range(columns)] for i in range(rows)]
    _key(figure.add_subplot(grid_spec[rows, :]))
    with ExitStack() as stack:
        final = stack.enter_context(ShardedMap(maps, grid, name="final map"))
        readers = {
            name: stack.enter_context(ProductReader(products[name], files[name], grid))
            for name in titles
        }
        for row, block_id in zip(axes, chosen, strict=False):
            window = grid.block_window(grid.parse_block_id(block_id))
            extent = grid.window_bounds(window)
            ours = final.read(window)
            row[0].imshow(read_imagery(mosaics, extent, PIXELS), extent=image(extent))
            map_axes(row[0], extent, f"Imagery, block {block_id}")
            row[1].imshow(_picture(ours == 1, ours == 1, ours <= 1), extent=image(extent))
            map_axes(row[1], extent, "Final map")
            for panel, (name, text) in zip(row[2:], titles.items(), strict=True):
                states = readers[name].read(window)[1]
                known = (ours <= 1) & (states < KNOWN)
                theirs = states == IN
                panel.imshow(_picture(ours == 1, theirs, known), extent=image(extent))
                iou = Confusion.count(theirs, ours == 1, known).iou
                words = "" if np.isnan(iou) else f", IoU {iou:.2f}"
                map_axes(panel, extent, f"{text}{words}")
    save_figure(figure, output)


def _key(axes: Axes) -> None:
    """What the colours mean, in a row of its own."""
    axes.set_axis_off()
    patches = [Patch(facecolor=c, edgecolor=INK, linewidth=0.5, label=t) for t, c in _CODES.items()]
    axes.legend(handles=patches, loc="center", ncols=len(patches), fontsize=9, frameon=False)


def _picture(ours: np.ndarray, theirs: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) float of the agreement of two maps, thinned to about `PIXELS`."""
    step = max(1, len(ours) // PIXELS)
    ours, theirs, known = (a[::step, ::step] for a in (ours, theirs, known))
    code = np.select([~known, ours & theirs, ours, theirs], [4, 0, 1, 2], default=3)
    return np.array([to_rgb(colour) for colour in _CODES.values()])[code]

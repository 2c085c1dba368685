"""Overview of the maps of a case: some crops, all systems together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.ticker import MaxNLocator

from cropalloc.report.style import (
    AREA_SHADES,
    EMPTY,
    crop_title,
    draw_outline,
    frame_of_data,
    hectares,
    map_axes,
    new_figure,
    panel_size,
    read_outline,
    read_picture,
)
from cropbase.errors import InputError
from cropbase.figures import image, save_figure, with_margin
from cropbase.rasters import open_raster


def plot_maps(
    *,
    maps: Mapping[str, Path],
    output: Path,
    boundary: Path | None = None,
    boundary_layer: str | None = None,
    title: str = "",
    note: str = "",
    max_panels: int = 6,
) -> None:
    """Maps of some crops beside each other, with a scale and the country's outline (PNG).

    Parameters
    ----------
    maps : title of a panel (a crop's id) -> GeoTIFF of hectares a cell, in the order to be drawn;
        at most `max_panels`. Large maps are drawn through means of their cells.
    boundary : vector file with the outline.

    Colours end at the 99th percentile of the cells with the crop, each map with its own scale.
    Raises InputError for files that cannot be read, or no map at all.
    """
    chosen = dict(list(maps.items())[:max_panels])
    if not chosen:
        raise InputError("an overview needs at least one map")
    outline = read_outline(boundary, layer=boundary_layer)
    pictures = {crop: read_picture(path) for crop, path in chosen.items()}
    values, whole = next(iter(pictures.values()))
    extent = with_margin(frame_of_data(values, whole))
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    width, height = panel_size(extent, 3.3)
    figure = new_figure(
        columns * (width + 0.85) + 0.2, rows * (height + 0.55) + 0.6, title=title, note=note
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (crop, (values, whole)) in zip(panels, pictures.items(), strict=False):
        map_axes(axes, extent)
        ground = np.where(np.isfinite(values), 1.0, np.nan)
        axes.imshow(
            ground,
            extent=image(whole),
            cmap=ListedColormap([EMPTY]),
            interpolation="nearest",
            aspect="auto",
            zorder=1,
        )
        known = np.where(values > 0, values, np.nan)
        most = float(np.nanpercentile(known, 99)) if np.isfinite(known).any() else 1.0
        shown = axes.imshow(
            known,
            extent=image(whole),
            cmap=AREA_SHADES,
            norm=PowerNorm(0.5, 0, most),
            interpolation="nearest",
            aspect="auto",
            zorder=2,
        )
        axes.set_aspect(1 / np.cos(np.radians((extent[1] + extent[3]) / 2)))
        if len(outline):
            draw_outline(axes, outline)
        axes.set_title(f"{crop_title(crop)}, {hectares(map_total_ha(chosen[crop]))}", fontsize=9)
        bar = figure.colorbar(shown, ax=axes, shrink=0.7, pad=0.02, aspect=22, extend="max")
        bar.set_label("ha a cell", fontsize=7)
        bar.ax.tick_params(labelsize=6.5)
        bar.locator = MaxNLocator(5)
        bar.update_ticks()
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    save_figure(figure, output)


def map_total_ha(path: str | Path) -> float:
    """Hectares on a map: the sum of its cells, read strip by strip."""
    total = 0.0
    with open_raster(path) as source:
        for _, window in source.block_windows(1):
            total += float(source.read(1, window=window, masked=True).astype(np.float64).sum() or 0)
    return total

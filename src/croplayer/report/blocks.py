"""Block maps: coverage types, sharpness, semantic classes, options, slope (Fig. 7, 9 and 10)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from cropbase.figures import save_figure
from cropbase.tables import read_table
from croplayer.grid.planning import read_plan
from croplayer.report.maps import _draw_rings, _image, _panel, _with_margin
from croplayer.report.style import (
    COVERAGE_COLOURS,
    INK,
    OPTION_COLOURS,
    SEMANTIC_COLOURS,
    Extent,
    legend,
    map_axes,
    new_figure,
)

_TEXT = {
    "planting": "planting",
    "non_planting": "non-planting",
    "snow_ice": "snow or ice",
    "cloudy": "cloudy",
    "nodata": "no data",
    "TP": "TP: right",
    "FP": "FP: no cropland there",
    "Noise": "noise",
    "Artifacts": "artifacts",
}


def plot_blocks(
    *,
    blocks: Path,
    quality: dict[str, list[Path]],
    terrain: list[Path],
    output: Path,
    semantic: Path | None = None,
    options: Path | None = None,
    title: str = "",
    note: str = "",
) -> None:
    """What is known of each block, as small maps (PNG).

    Parameters
    ----------
    blocks : the plan table.
    quality : source -> quality tables of its shards, A first. terrain : terrain tables.
    semantic, options : classes and options of the blocks; their panels are left out where absent.

    Rows: coverage type of each source and the option; sharpness (Eq. 1) and slope; semantic class
    and elevation. Legends give the share of the blocks. Raises InputError for unreadable tables.
    """
    plan = read_plan(blocks)
    place = _Places(plan)
    sources = list(quality)
    relief = pd.concat([read_table(path) for path in terrain], ignore_index=True)
    graded = {
        source: pd.concat([read_table(path) for path in paths], ignore_index=True)
        for source, paths in quality.items()
    }
    classes = read_table(semantic) if semantic is not None else None
    chosen = read_table(options) if options is not None else None
    rows = 3 if classes is not None else 2
    extent = _with_margin(place.extent)
    width, height = _panel(extent, 3.3)
    figure = new_figure(
        0.6 + (len(sources) + 1) * (width + 0.3),
        1.2 + rows * (height + 0.75),
        title=title,
        note=note,
    )
    axes = figure.subplots(rows, len(sources) + 1, squeeze=False)
    both = pd.concat(graded.values())["sharpness"]
    span = _span(both)
    for k, source in enumerate(sources):
        table = graded[source]
        _classes(axes[0, k], place, extent, table, "coverage_type", COVERAGE_COLOURS)
        axes[0, k].set_title(f"Coverage type: {source}", fontsize=9)
        _values(figure, axes[1, k], place, extent, table, "sharpness", "viridis", span)
        axes[1, k].set_title(f"Sharpness (Sobel gradient): {source}", fontsize=9)
        if classes is not None:
            mine = classes[classes["source"] == source]
            _classes(axes[2, k], place, extent, mine, "semantic_class", SEMANTIC_COLOURS)
            axes[2, k].set_title(f"Semantic class: {source}", fontsize=9)
    if chosen is not None:
        words = _option_words(sources)
        _classes(axes[0, -1], place, extent, chosen, "option", OPTION_COLOURS, words)
        axes[0, -1].set_title("Integration option", fontsize=9)
    else:
        axes[0, -1].set_axis_off()
    _values(figure, axes[1, -1], place, extent, relief, "slope", "cividis", None, "degrees")
    axes[1, -1].set_title("Slope (median)", fontsize=9)
    if rows == 3:
        _values(figure, axes[2, -1], place, extent, relief, "elevation", "cividis", None, "metres")
        axes[2, -1].set_title("Elevation (median)", fontsize=9)
    save_figure(figure, output)


class _Places:
    """Where each block lies in a picture with one pixel a block."""

    def __init__(self, plan: pd.DataFrame) -> None:
        self.first_row, self.first_col = int(plan["row"].min()), int(plan["col"].min())
        self.shape = (
            int(plan["row"].max()) - self.first_row + 1,
            int(plan["col"].max()) - self.first_col + 1,
        )
        self.extent: Extent = tuple(float(v) for v in plan.total_bounds)
        self._index = {
            row.block_id: (int(row.row) - self.first_row, int(row.col) - self.first_col)
            for row in plan.itertuples()
        }
        self.polygons = plan.geometry.to_numpy()

    def picture(self, table: pd.DataFrame, column: str) -> np.ndarray:
        """(rows, columns) float64 of a numeric column; NaN where no planned block is."""
        values = np.full(self.shape, np.nan)
        for block_id, value in zip(table["block_id"], table[column], strict=True):
            if block_id in self._index:
                values[self._index[block_id]] = value
        return values


def _classes(
    axes: Axes,
    place: _Places,
    extent: Extent,
    table: pd.DataFrame,
    column: str,
    colours: dict[str, str],
    words: dict[str, str] | None = None,
) -> None:
    """A map of classes, one colour a class, with the share of each in the legend."""
    codes = {name: k for k, name in enumerate(colours)}
    coded = table.assign(code=table[column].map(codes).astype("float64"))
    axes.imshow(
        place.picture(coded, "code"),
        extent=_image(place.extent),
        cmap=ListedColormap(list(colours.values())),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        interpolation="nearest",
    )
    map_axes(axes, extent)
    _grid(axes, place)
    share = table[column].value_counts(normalize=True)
    words = words or _TEXT
    legend(
        axes,
        {
            f"{words.get(name, name)} {share.get(name, 0):.1%}": colour
            for name, colour in colours.items()
        },
        columns=2,
    )


def _values(
    figure: Figure,
    axes: Axes,
    place: _Places,
    extent: Extent,
    table: pd.DataFrame,
    column: str,
    colours: str,
    span: tuple[float, float] | None,
    unit: str = "Sobel gradient (Eq. 1), bands scaled to 0-1",
) -> None:
    """A map of numbers with a colour bar."""
    low, high = span or _span(table[column])
    drawn = axes.imshow(
        place.picture(table, column),
        extent=_image(place.extent),
        cmap=colours,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    map_axes(axes, extent)
    _grid(axes, place)
    bar = figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.8, aspect=28, pad=0.03)
    bar.set_label(unit, fontsize=7)
    bar.ax.tick_params(labelsize=7)


def _span(values: pd.Series) -> tuple[float, float]:
    """The range of the middle 98 % of the values: a single odd block must not grey the rest."""
    known = values.dropna()
    if known.empty:
        return 0.0, 1.0
    low, high = np.quantile(known, [0.01, 0.99])
    return float(low), float(high if high > low else low + 1.0)


def _grid(axes: Axes, place: _Places, most: int = 2000) -> None:
    """Block edges, as long as they can be told apart."""
    if len(place.polygons) <= most:
        _draw_rings(axes, place.polygons, color=INK, linewidth=0.25, alpha=0.6)


def _option_words(sources: list[str]) -> dict[str, str]:
    a, b = (*sources, "B")[:2]
    return {"neither": "neither", "only_a": f"only {a}", "only_b": f"only {b}", "both": "both"}

"""Maps with one picture pixel a block: classes and numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from cropbase.figures import image, with_margin
from croplayer.report.style import INK, Extent, draw_rings, legend, map_axes

MOST_EDGES = 2000
"""With more blocks than these their edges would hide their colours."""


class Places:
    """Where each block lies in a picture with one pixel a block.

    `plan` : GeoDataFrame with `block_id, row, col` and the blocks' polygons (EPSG:4326).
    """

    def __init__(self, plan: pd.DataFrame) -> None:
        first_row, first_col = int(plan["row"].min()), int(plan["col"].min())
        self.shape = (
            int(plan["row"].max()) - first_row + 1,
            int(plan["col"].max()) - first_col + 1,
        )
        self.bounds: Extent = tuple(float(v) for v in plan.total_bounds)
        self.extent: Extent = with_margin(self.bounds)
        """What a map shows: the blocks with a margin."""
        self.polygons = plan.geometry.to_numpy()
        self._index = pd.DataFrame(
            {"r": plan["row"].to_numpy() - first_row, "c": plan["col"].to_numpy() - first_col},
            index=plan["block_id"].to_numpy(),
        )

    def picture(self, table: pd.DataFrame, column: str) -> np.ndarray:
        """(rows, columns) float64 of a numeric column; NaN where no planned block is."""
        values = np.full(self.shape, np.nan)
        rows = table[table["block_id"].isin(self._index.index)]
        at = self._index.loc[rows["block_id"]]
        values[at["r"], at["c"]] = rows[column].to_numpy(dtype="float64")
        return values


def class_map(
    axes: Axes,
    place: Places,
    table: pd.DataFrame,
    column: str,
    *,
    colours: Mapping[str, str],
    words: Mapping[str, str],
    title: str,
) -> None:
    """A map of classes, one colour a class (in `colours`' order), with a legend in words."""
    codes = {name: k for k, name in enumerate(colours)}
    coded = table.assign(code=table[column].astype(object).map(codes).astype("float64"))
    axes.imshow(
        place.picture(coded, "code"),
        extent=image(place.bounds),
        cmap=ListedColormap(list(colours.values())),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        interpolation="nearest",
    )
    _finish(axes, place, title)
    legend(axes, {words.get(name, name): colour for name, colour in colours.items()}, columns=2)


def value_map(
    figure: Figure,
    axes: Axes,
    place: Places,
    table: pd.DataFrame,
    column: str,
    *,
    title: str,
    unit: str,
    colours: str = "cividis",
    span: tuple[float, float] | None = None,
) -> None:
    """A map of numbers with a colour bar; `span` is the range of colours."""
    low, high = span or value_span(table[column])
    drawn = axes.imshow(
        place.picture(table, column),
        extent=image(place.bounds),
        cmap=colours,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    _finish(axes, place, title)
    # Within the map's own box: beside a taller legend the layout would push it into what is below.
    below = axes.inset_axes((0.1, -0.13, 0.8, 0.035))
    bar = figure.colorbar(drawn, cax=below, orientation="horizontal")
    bar.set_label(unit, fontsize=7)
    bar.ax.tick_params(labelsize=7)


def value_span(values: pd.Series) -> tuple[float, float]:
    """The range of the middle 98 % of the values: a single odd block must not grey the rest."""
    known = values.dropna()
    if known.empty:
        return 0.0, 1.0
    low, high = np.quantile(known, [0.01, 0.99])
    return float(low), float(high if high > low else low + 1.0)


def _finish(axes: Axes, place: Places, title: str) -> None:
    map_axes(axes, place.extent, title)
    if len(place.polygons) <= MOST_EDGES:
        draw_rings(axes, place.polygons, color=INK, linewidth=0.25, alpha=0.6)

"""What the maps of both branches are drawn with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Geod

from cropbase.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GEOD = Geod(ellps="WGS84")

Extent = tuple[float, float, float, float]
"""(west, south, east, north), degrees."""


def save_figure(figure: Figure, output: str | Path) -> None:
    """Write a figure as PNG, atomically and without a date."""
    with atomic_path(output) as path:
        figure.savefig(path, format="png", metadata={"Software": None})


def image(extent: Extent) -> Extent:
    """matplotlib's order: left, right, bottom, top."""
    west, south, east, north = extent
    return west, east, south, north


def with_margin(extent: Extent, share: float = 0.03) -> Extent:
    """The extent, a little larger."""
    west, south, east, north = extent
    margin = share * max(east - west, north - south)
    return west - margin, south - margin, east + margin, north + margin


def shape_factor(extent: Extent) -> float:
    """How much longer a degree of latitude is than one of longitude in the middle of a map."""
    _, south, _, north = extent
    return 1 / max(float(np.cos(np.radians((south + north) / 2))), 0.05)


def degree_ticks(axes: Axes) -> None:
    """A few round ticks on both axes, written as degrees east, west, north, south."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for axis, letters in ((axes.xaxis, "EW"), (axes.yaxis, "NS")):
        axis.set_major_locator(
            MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], prune="both", min_n_ticks=1)
        )
        axis.set_major_formatter(
            FuncFormatter(lambda v, _, letters=letters: angle_label(v, letters))
        )


def scale_bar(axes: Axes, extent: Extent) -> None:
    """A bar of a round number of metres or kilometres, about a quarter of the map's width.

    `extent` is west, south, east, north of the axes, degrees; the length is the geodesic one at the
    map's middle latitude.
    """
    west, south, east, north = extent
    latitude = (south + north) / 2
    width_m = _GEOD.line_length([west, (west + east) / 2, east], [latitude] * 3)
    length = round_length(width_m / 4)
    share = length / width_m
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    for colour, line in (("white", 4.5), ("black", 2.0)):
        axes.plot(
            [0.04, 0.04 + share],
            [0.045, 0.045],
            transform=axes.transAxes,
            color=colour,
            linewidth=line,
            solid_capstyle="butt",
            zorder=6,
        )
    axes.text(
        0.04 + share / 2,
        0.06,
        text,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=7,
        zorder=6,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
    )


def round_length(metres: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `metres`."""
    power = 10 ** np.floor(np.log10(metres))
    return float(max(step * power for step in (1, 2, 5) if step * power <= metres))


def angle_label(value: float, letters: str) -> str:
    """Degrees as on a map: 112.25°E; `letters` are those of positive and negative values."""
    letter = "" if value == 0 else letters[0] if value > 0 else letters[1]
    return f"{abs(value):.4f}".rstrip("0").rstrip(".") + f"°{letter}"

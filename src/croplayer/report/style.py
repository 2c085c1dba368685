"""How figures of this project look: colours, map axes, scale bar, stamp, saving.

Figures are drawn with Agg and saved without dates, so the same inputs give the same bytes with the
same version of matplotlib. Colours are Okabe and Ito's, which colour-blind readers tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import shapely
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Patch

from cropbase.figures import Extent, degree_ticks, scale_bar, shape_factor

DPI = 140
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, YELLOW, INK = "#56B4E9", "#D55E00", "#F0E442", "#333333"
PAPER = "#DCE4EA"
"""Ground of maps: white and light grey blocks must stand out from it."""

COVERAGE_COLOURS = {
    # Green, yellow, light grey, white, black as in Table 1 of the paper.
    "planting": "#1F9E4B",
    "non_planting": YELLOW,
    "snow_ice": "#B4B4B4",
    "cloudy": "#FFFFFF",
    "nodata": "#111111",
}
SEMANTIC_COLOURS = {"TP": GREEN, "FP": RED, "Noise": YELLOW, "Artifacts": PURPLE}
OPTION_COLOURS = {"neither": "#F5F5F5", "only_a": BLUE, "only_b": ORANGE, "both": GREEN}
CROPLAND_COLOURS = {0: "#EEEAE0", 1: GREEN, 254: PURPLE}

_WIDE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
)


@cache
def fonts() -> tuple[str, ...]:
    """DejaVu Sans and the fonts with Chinese letters that this machine has."""
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _WIDE_FONTS if name in known))


@cache
def _glyphs() -> frozenset[int]:
    found: set[int] = set()
    for name in fonts():
        found |= set(FT2Font(font_manager.findfont(name)).get_charmap())
    return frozenset(found)


def printable(text: str, otherwise: str) -> str:
    """`text` if this machine's fonts have all its letters, else `otherwise` (not empty boxes)."""
    return text if text and all(ord(c) in _glyphs() for c in text) else otherwise


def new_figure(width: float, height: float, *, title: str = "", note: str = "") -> Figure:
    """An empty figure (inches) with a title and, in red at its foot, a note such as that the data
    are generated."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    if title:
        figure.suptitle(title, fontsize=13, fontfamily=list(fonts()))
    if note:
        figure.supxlabel(note, fontsize=9, color=RED, fontweight="bold", fontfamily=list(fonts()))
    return figure


def map_axes(axes: Axes, extent: Extent, title: str = "") -> None:
    """Make `axes` a map in longitude and latitude with true shape, graticule and scale bar."""
    west, south, east, north = extent
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect(shape_factor(extent))
    axes.set_facecolor(PAPER)
    degree_ticks(axes)
    axes.tick_params(labelsize=7, length=2, color=INK, labelcolor=INK)
    for label in axes.get_yticklabels():
        label.set(rotation=90, va="center")
    axes.grid(color="#000000", alpha=0.18, linewidth=0.5)
    axes.set_title(title, fontsize=9, fontfamily=list(fonts()))
    scale_bar(axes, extent)


def panel_size(extent: Extent, edge: float = 3.9) -> tuple[float, float]:
    """Inches of a panel whose longer edge is `edge`, in the true shape of `extent`."""
    west, south, east, north = extent
    width = (east - west) * np.cos(np.radians((south + north) / 2))
    height = north - south
    scale = edge / max(width, height)
    return max(width * scale, 1.8), max(height * scale, 1.4)


def draw_rings(axes: Axes, polygons: Iterable[shapely.Geometry], **style: Any) -> None:
    """The rings of some (multi)polygons, as lines of that style."""
    # get_rings knows nothing of multipolygons: their parts are rings, they are not.
    for ring in shapely.get_rings(shapely.get_parts(np.asarray(polygons, dtype=object))):
        points = shapely.get_coordinates(ring)
        axes.plot(points[:, 0], points[:, 1], zorder=4, **style)


def legend(axes: Axes, entries: dict[str, str], *, columns: int = 1, above: bool = False) -> None:
    """A legend below a map, or above the axes: text -> colour."""
    axes.legend(
        handles=[
            Patch(facecolor=colour, edgecolor="#555555", linewidth=0.6, label=text)
            for text, colour in entries.items()
        ],
        loc="lower center" if above else "upper center",
        bbox_to_anchor=(0.5, 1.0 if above else -0.07),
        ncols=columns,
        fontsize=7,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.0,
        prop={"family": list(fonts()), "size": 7},
    )

"""How figures of this branch look: colours, map axes, scale bar, outlines, saving.

Figures are drawn with Agg and saved without dates, so the same inputs give the same bytes with the
same version of matplotlib.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.figure import Figure
from rasterio.warp import Resampling
from shapely import get_coordinates, get_parts, get_rings

from cropbase.errors import InputError
from cropbase.figures import Extent, degree_ticks, scale_bar, shape_factor
from cropbase.rasters import open_raster

DPI = 150
INK, RED, GROUND = "#333333", "#B5301D", "#F4F5F3"
EMPTY = "#E3E6E1"
"""Ground of the case without the crop."""
AREA_SHADES = ListedColormap(colormaps["YlGn"](np.linspace(0.22, 1.0, 256)))
"""Little to much of a crop."""
CONTESTANTS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe and Ito's colours, which colour-blind readers tell apart."""


def crop_title(crop: str) -> str:
    """A crop's id as people read it."""
    return crop.replace("_", " ").capitalize()


def crop_colours(crops: list[str]) -> dict[str, str]:
    """A colour a crop, the same for the same list."""
    shades = [colormaps["tab20"](k) for k in (*range(0, 20, 2), *range(1, 20, 2))]
    shades += [colormaps["tab20b"](k) for k in range(20)]
    return {crop: to_hex(shades[k % len(shades)]) for k, crop in enumerate(crops)}


def year_colours(years: list[int]) -> dict[int, str]:
    """A colour a year, dark to bright in the order of time."""
    positions = np.linspace(0.05, 0.85, max(len(years), 2))
    return {year: to_hex(colormaps["plasma"](positions[k])) for k, year in enumerate(sorted(years))}


def new_figure(width: float, height: float, *, title: str = "", note: str = "") -> Figure:
    """An empty figure (inches) with a title and, in red at its foot, a note such as that the data
    are generated."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    if title:
        figure.suptitle(title, fontsize=12)
    if note:
        figure.supxlabel(note, fontsize=8, color=RED, fontweight="bold")
    return figure


def map_axes(axes: Axes, extent: Extent) -> None:
    """Make `axes` a map in degrees, of true shape in its middle, with a scale bar."""
    west, south, east, north = extent
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect(shape_factor(extent))
    axes.set_facecolor(GROUND)
    degree_ticks(axes)
    axes.tick_params(labelsize=6.5, length=2, color=INK, labelcolor=INK)
    axes.grid(color="#000000", alpha=0.10, linewidth=0.4)
    scale_bar(axes, extent)


def panel_size(extent: Extent, edge: float) -> tuple[float, float]:
    """Inches of a panel whose longer edge is `edge`, in the true shape of `extent`."""
    west, south, east, north = extent
    width, height = (east - west) / shape_factor(extent), north - south
    scale = edge / max(width, height)
    return max(width * scale, 0.45 * edge), max(height * scale, 0.45 * edge)


def read_picture(path: str | Path, *, pixels: int = 900) -> tuple[np.ndarray, Extent]:
    """A map in at most `pixels` rows and columns (means), NaN outside, and its extent."""
    with open_raster(path) as source:
        factor = max(1.0, max(source.height, source.width) / pixels)
        shape = (max(1, round(source.height / factor)), max(1, round(source.width / factor)))
        values = source.read(1, out_shape=shape, masked=True, resampling=Resampling.average)
        bounds = source.bounds
    return values.astype(np.float64).filled(np.nan), tuple(bounds)


def read_outline(path: str | Path | None, *, layer: str | None = None) -> np.ndarray:
    """Geometries of a vector file in EPSG:4326; none without a file. Raises InputError."""
    if path is None:
        return np.array([], dtype=object)
    try:
        if Path(path).suffix == ".parquet":
            outline = gpd.read_parquet(path)
        else:
            outline = gpd.read_file(path, layer=layer)
    except (pyogrio.errors.DataSourceError, OSError, ValueError) as error:
        raise InputError(f"outline {path} cannot be read", given=error) from None
    return outline.to_crs("EPSG:4326").geometry.to_numpy()


def draw_outline(axes: Axes, polygons: np.ndarray, *, width: float = 0.6) -> None:
    """The rings of some (multi)polygons."""
    parts = get_parts(get_parts(np.asarray(polygons, dtype=object)))
    lines = [get_coordinates(ring) for ring in get_rings(parts)]
    axes.add_collection(LineCollection(lines, colors=INK, linewidths=width, zorder=4))


def frame_of_data(values: np.ndarray, extent: Extent) -> Extent:
    """The part of a picture's extent that has known values."""
    known = np.isfinite(values)
    if not known.any():
        return extent
    west, south, east, north = extent
    dx, dy = (east - west) / values.shape[1], (north - south) / values.shape[0]
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    return (
        west + dx * columns[0],
        north - dy * (rows[-1] + 1),
        west + dx * (columns[-1] + 1),
        north - dy * rows[0],
    )


def hectares(value: float) -> str:
    """An area as people write it: Mha, kha or ha."""
    for size, unit in ((1e6, "Mha"), (1e3, "kha")):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} ha"

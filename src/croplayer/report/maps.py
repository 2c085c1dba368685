"""Map figures of a province: imagery, both masks and the integrated map, far and near."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from cropbase.errors import InputError
from cropbase.figures import image, save_figure, with_margin
from croplayer.grid.regions import read_counties, read_region
from croplayer.report.shards import cropland_share, read_imagery
from croplayer.report.style import (
    BLUE,
    CROPLAND_COLOURS,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    draw_rings,
    fonts,
    legend,
    map_axes,
    new_figure,
    panel_size,
    printable,
)

Query = tuple[str, str | int] | None


def plot_overview(
    *,
    mosaics: dict[str, list[Path]],
    masks: dict[str, list[Path]],
    maps: list[Path],
    boundary: Path,
    output: Path,
    title: str = "",
    note: str = "",
    counties: Path | None = None,
    counties_fields: tuple[str, str, str] = ("county_id", "county", "city"),
    counties_layer: str | None = None,
    counties_query: Query = None,
    repair_counties: bool = False,
    boundary_layer: str | None = None,
    boundary_query: Query = None,
    pixels: int = 700,
) -> None:
    """Imagery of each source, its mask, the integrated map, and where the masks differ (PNG).

    Parameters
    ----------
    mosaics, masks : source -> rasters of its shards, A first. maps : rasters of the final map;
        empty with a single source.
    boundary, counties : vector files; county names are written on the integrated map.
    note : what every figure of generated data must say.
    pixels : longer edge of each picture; rasters are read through their overviews.

    Raises InputError for files that cannot be used.
    """
    if not masks or list(mosaics) != list(masks):
        raise InputError(
            "an overview needs a mosaic and a mask of the same sources",
            given=f"mosaics of {', '.join(mosaics)}; masks of {', '.join(masks)}",
        )
    region = read_region(boundary, layer=boundary_layer, query=boundary_query)
    names = None
    if counties is not None:
        names = read_counties(
            counties,
            fields=counties_fields,
            layer=counties_layer,
            query=counties_query,
            repair=repair_counties,
            region=region,
        )
    extent = with_margin(region.bounds)
    sources = list(masks)
    columns = len(sources) + bool(maps)
    width, height = panel_size(extent)
    figure = new_figure(0.4 + columns * width, 0.9 + 2 * (height + 0.55), title=title, note=note)
    axes = figure.subplots(2, columns, squeeze=False)
    shares = {}
    for k, source in enumerate(sources):
        letter = "AB"[k] if k < 2 else str(k + 1)
        axes[0, k].imshow(read_imagery(mosaics[source], extent, pixels), extent=image(extent))
        map_axes(axes[0, k], extent, f"Imagery {letter}: {source}")
        shares[source] = cropland_share(masks[source], extent, pixels)
        axes[1, k].imshow(share_picture(*shares[source]), extent=image(extent))
        map_axes(axes[1, k], extent, f"Cropland mask {letter}: {source}")
        legend(axes[1, k], _map_legend(unusable=False), columns=2)
    if maps:
        final = cropland_share(maps, extent, pixels)
        axes[0, -1].imshow(share_picture(*final), extent=image(extent))
        map_axes(axes[0, -1], extent, "Integrated cropland map")
        legend(axes[0, -1], _map_legend(unusable=True), columns=3)
        a, b = (shares[source][0] for source in sources[:2])
        axes[1, -1].imshow(_difference_picture(a, b), extent=image(extent))
        map_axes(axes[1, -1], extent, "Where the two masks agree")
        legend(
            axes[1, -1],
            {"both": GREEN, f"only {sources[0]}": BLUE, f"only {sources[1]}": ORANGE},
            columns=3,
        )
    for panel in axes.ravel():
        _outline(panel, region, names)
    if names is not None:
        _write_names(axes[0, -1], names)
    save_figure(figure, output)


def share_picture(share: np.ndarray, unusable: np.ndarray, known: np.ndarray) -> np.ndarray:
    """RGBA: from background to cropland by share; unusable apart; transparent where unknown."""
    ground, crop, bad = (np.array(to_rgb(CROPLAND_COLOURS[k])) for k in (0, 1, 254))
    fill = np.nan_to_num(share)[..., None]
    picture = ground * (1 - fill) + crop * fill
    picture = np.where((unusable > known)[..., None], bad, picture)
    return np.dstack([picture, np.maximum(known, unusable) > 0])


def _difference_picture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """RGBA of the cropland that both, only A and only B see, mixed by their shares."""
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    both = np.minimum(a, b)
    parts = (both, a - both, b - both, 1 - np.maximum(a, b))
    colours = (GREEN, BLUE, ORANGE, CROPLAND_COLOURS[0])
    picture = sum(
        part[..., None] * np.array(to_rgb(colour))
        for part, colour in zip(parts, colours, strict=True)
    )
    return np.dstack([np.clip(picture, 0, 1), known])


def _map_legend(*, unusable: bool) -> dict[str, str]:
    entries = {"cropland": GREEN, "not cropland": CROPLAND_COLOURS[0]}
    return entries | ({"unusable imagery": PURPLE} if unusable else {})


def _outline(axes: Axes, region: shapely.Geometry, counties: gpd.GeoDataFrame | None) -> None:
    """The province's border and, thinner, those of its counties."""
    if counties is not None:
        draw_rings(axes, counties.geometry.to_numpy(), color=INK, linewidth=0.7, linestyle=":")
    draw_rings(axes, [region], color=INK, linewidth=1.1)


def _write_names(axes: Axes, counties: gpd.GeoDataFrame, most: int = 30) -> None:
    """County names at points inside them, if there are not too many to read."""
    if len(counties) > most:
        return
    for row in counties.itertuples():
        point = shapely.point_on_surface(row.geometry)
        axes.annotate(
            printable(row.county, row.county_id),
            (point.x, point.y),
            ha="center",
            va="center",
            fontsize=7,
            fontfamily=list(fonts()),
            zorder=5,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
            annotation_clip=True,
        )

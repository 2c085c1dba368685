"""A province where georeferenced rasters are: the ground that they have in common.

For imagery of a small place that is no administrative unit. What the province file needs is then
made from the rasters themselves: a boundary, and parts of it that play counties.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from pyproj import Transformer

from cropbase.errors import InputError
from cropbase.jobs import run_command
from cropbase.rasters import open_raster
from cropbase.vectors import write_geopackage

log = logging.getLogger(__name__)

_DENSIFY = 64
"""Points along an edge: a straight edge in another CRS is no straight edge in degrees."""


def ground_of(path: Path, *, margin_pixels: float = 1.0) -> shapely.Polygon:
    """The ground that a raster covers, EPSG:4326.

    `margin_pixels` are left out along the edges, where resampling mixes imagery with nothing.
    Raises InputError for a raster that cannot be opened, has no CRS, or is smaller than that.
    """
    with open_raster(path) as dataset:
        width, height, margin = dataset.width, dataset.height, margin_pixels
        if min(width, height) <= 2 * margin:
            raise InputError(
                f"raster {path} is smaller than its margins", given=f"{width} x {height} pixels"
            )
        ring = shapely.box(margin, margin, width - margin, height - margin).exterior
        corners = shapely.segmentize(ring, max(width, height) / _DENSIFY)
        columns, rows = shapely.get_coordinates(corners).T
        x, y = rasterio.transform.xy(dataset.transform, rows, columns, offset="ul")
        project = Transformer.from_crs(dataset.crs, "EPSG:4326", always_xy=True)
        longitudes, latitudes = project.transform(np.asarray(x), np.asarray(y))
    return shapely.Polygon(np.c_[longitudes, latitudes])


def import_rasters(
    *,
    rasters: Sequence[Path],
    name: str,
    province: Path,
    counties: Path,
    county_count: int = 2,
    margin_pixels: float = 1.0,
) -> None:
    """Write the province that the rasters have in common, and its division into counties.

    Parameters
    ----------
    rasters : georeferenced rasters of any CRS and size.
    name : name of the province.
    province : GeoPackage of one polygon: province.
    counties : GeoPackage of `county_count` parts of equal width from west to east: county_id,
        county, city. They are no administrative units and are named `part_1`, `part_2`, ...
    margin_pixels : pixels of each raster left out along its edges.

    Raises InputError if a raster cannot be used, or if they have no ground in common.
    """
    if not rasters:
        raise InputError("no raster is given", remedy="name the rasters of the place")
    if county_count < 1:
        raise InputError("at least one county is needed", given=county_count)
    grounds = [ground_of(Path(path), margin_pixels=margin_pixels) for path in rasters]
    common = shapely.intersection_all(grounds)
    if common.is_empty or common.geom_type != "Polygon":
        raise InputError(
            f"the {len(grounds)} rasters have no ground in common",
            given="; ".join(
                "{} {:.4f} {:.4f} {:.4f} {:.4f}".format(Path(path).name, *ground.bounds)
                for path, ground in zip(rasters, grounds, strict=True)
            ),
            allowed="rasters of one place (west, south, east, north are shown)",
        )
    west, south, east, north = common.bounds
    cuts = np.linspace(west, east, county_count + 1)
    parts = [
        shapely.intersection(common, shapely.box(left, south, right, north))
        for left, right in pairwise(cuts)
    ]
    ids = [f"part_{number}" for number in range(1, county_count + 1)]
    write_geopackage(
        gpd.GeoDataFrame({"province": [name]}, geometry=[common], crs="EPSG:4326"), province
    )
    write_geopackage(
        gpd.GeoDataFrame(
            {"county_id": ids, "county": ids, "city": [name] * len(ids)},
            geometry=parts,
            crs="EPSG:4326",
        ),
        counties,
    )
    log.info(
        "%s: west %.4f, south %.4f, east %.4f, north %.4f; %d counties",
        *(name, west, south, east, north, len(ids)),
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line: boundary and counties of the place that rasters show."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.imports.rasters",
        description="Make a province of the ground that rasters have in common, and counties of "
        "parts of it.",
    )
    parser.add_argument("rasters", nargs="+", type=Path, help="georeferenced rasters of one place")
    parser.add_argument("--name", required=True, help="name of the province")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for province.gpkg and counties.gpkg"
    )
    parser.add_argument("--counties", type=int, default=2, help="parts from west to east")
    parser.add_argument(
        "--margin-pixels", type=float, default=1.0, help="left out along the rasters' edges"
    )
    given = parser.parse_args(arguments)
    return run_command(
        lambda: import_rasters(
            rasters=given.rasters,
            name=given.name,
            province=given.output / "province.gpkg",
            counties=given.output / "counties.gpkg",
            county_count=given.counties,
            margin_pixels=given.margin_pixels,
        )
    )


if __name__ == "__main__":
    sys.exit(main())

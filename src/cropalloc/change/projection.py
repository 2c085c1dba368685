"""The equal-area projection in which ellipses are measured."""

from __future__ import annotations

import numpy as np
from pyproj import CRS, Proj, Transformer
from pyproj.exceptions import CRSError

from cropbase.errors import ConfigError

_ALLOWED_AREAL_ERROR = 1e-6


def equal_area_crs(
    projection: str, bounds_degrees: tuple[float, float, float, float]
) -> tuple[CRS, Transformer]:
    """The projection for maps within west, south, east, north, and the way to it from EPSG:4326.

    `laea`: Lambert azimuthal, centred on the bounds; `albers`: conic, standard parallels at a sixth
    of the height from both ends; anything else is a CRS for pyproj. Centres are rounded to a tenth
    of a degree, parameters are metres on WGS 84. Raises ConfigError for a CRS that is unknown or
    does not keep areas within the bounds.
    """
    west, south, east, north = bounds_degrees
    lon, lat = round((west + east) / 2, 1), round((south + north) / 2, 1)
    if projection == "laea":
        text = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m +no_defs"
    elif projection == "albers":
        sixth = (north - south) / 6
        low, high = round(south + sixth, 2), round(north - sixth, 2)
        if abs(low + high) < 0.1:  # parallels that mirror each other make no cone
            high += 0.2
        text = (
            f"+proj=aea +lat_1={low} +lat_2={high} +lat_0={lat} +lon_0={lon} "
            "+datum=WGS84 +units=m +no_defs"
        )
    else:
        text = projection
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigError(
            "`change.projection` is no coordinate reference system", given=f"{projection} ({error})"
        ) from None
    if crs.is_geographic:
        _refuse(projection, "it counts degrees")
    lons, lats = np.meshgrid(np.linspace(west, east, 5), np.linspace(south, north, 5))
    scale = Proj(crs).get_factors(lons.ravel(), lats.ravel(), errcheck=False).areal_scale
    error = float(np.max(np.abs(np.asarray(scale) - 1)))
    if not error < _ALLOWED_AREAL_ERROR:
        _refuse(projection, f"its areas are off by up to {error:.3g} of themselves")
    return crs, Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def _refuse(projection: str, why: str) -> None:
    raise ConfigError(
        "`change.projection` does not keep areas",
        given=f"{projection}: {why}",
        allowed="laea, albers, or an equal-area CRS such as EPSG:3035",
    )

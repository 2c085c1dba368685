"""Settings of the terrain stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cropbase.config import Section


class TerrainSettings(Section):
    """How a digital elevation model (DEM) becomes four numbers a block."""

    dem: tuple[str, ...] = Field(
        (),
        description="DEM files or glob patterns (`dem/*.tif`), any CRS and resolution; where files "
        "overlap, the earlier one wins and the later ones fill its missing cells; [] if there is "
        "no elevation: the terrain features are then missing",
    )
    band: int = Field(1, ge=1, description="band of the DEM files that holds the elevation")
    metres_per_degree: Literal["ellipsoid", "gdaldem"] = Field(
        "ellipsoid",
        description="size of a DEM cell on the ground: `ellipsoid` measures it on the ellipsoid at "
        "the cell's latitude; `gdaldem` takes 111120 m a degree in both directions (gdaldem -s "
        "111120), which makes slopes away from the equator too gentle",
    )
    ruggedness: Literal["riley", "wilson"] = Field(
        "riley",
        description="formula of the terrain ruggedness index: `riley` (Riley et al. 1999; gdaldem "
        "by default) or `wilson` (Wilson et al. 2007, gdaldem -alg Wilson)",
    )
    missing_values: tuple[float, ...] = Field(
        (-32768.0, -9999.0),
        description="stored values that mean 'no data' besides the file's own nodata value, mask "
        "and NaN (many DEM files forget to declare theirs)",
    )
    elevation_scale: float = Field(
        1.0, gt=0, description="metres in one unit of the DEM's elevation (0.3048 for feet)"
    )
    min_elevation_m: float = Field(
        -500.0, ge=-12000, description="lower elevations are taken as missing, metres"
    )
    max_elevation_m: float = Field(
        9000.0, le=12000, description="higher elevations are taken as missing, metres"
    )

    @model_validator(mode="after")
    def _range(self) -> TerrainSettings:
        if self.min_elevation_m >= self.max_elevation_m:
            raise ValueError("min_elevation_m must be lower than max_elevation_m")
        return self

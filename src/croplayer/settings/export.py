"""Key `export`: how the final map becomes county polygons."""

from __future__ import annotations

from pydantic import Field

from cropbase.config import Section


class ExportSettings(Section):
    """Polygons of cropland a county: outlines, smallest area, holes."""

    tolerance_pixels: float = Field(
        0.8,
        ge=0,
        le=5,
        description="how far a simplified outline may lie from the outline on the pixel grid, "
        "pixels; 0 keeps every bend",
    )
    offset_pixels: float = Field(
        0.2,
        gt=0,
        le=1,
        description="how far a simplified edge may lie to one side of the outline on average, "
        "pixels: what keeps areas unbiased",
    )
    min_area_ha: float = Field(
        0.02,
        ge=0,
        le=100,
        description="connected cropland smaller than this is left out, hectares (0.02 ha: 35 "
        "pixels at zoom 16)",
    )
    fill_holes_ha: float = Field(
        0.01,
        ge=0,
        le=100,
        description="holes smaller than this are filled, hectares (a tree, a pylon, a pond)",
    )

"""Key `grid`: the cells of a case, and which unit each of them belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from cropbase.config import Section


class UnitMatch(Section):
    """How a value of a layer or table finds its row in units.parquet."""

    match: Literal["id", "name"] = Field(
        "id", description="compare the value with the units' `unit_id` or with their `name`"
    )
    level: int | None = Field(
        None,
        ge=0,
        description="only units of this level are looked up (names often repeat across levels); "
        "null: all levels",
    )
    renames: dict[str, str] = Field(
        default_factory=dict,
        description="values of the layer that are written differently in the statistics: "
        "`value: unit_id or name`",
    )


class PolygonLayer(UnitMatch):
    """One vector layer of boundaries."""

    path: Path = Field(description="vector file that GDAL reads (GeoPackage, shapefile, GeoJSON)")
    layer: str | None = Field(None, description="layer of a file with several; null: the only one")
    attribute: str = Field(description="attribute that holds the unit's id or name")


class PolygonLeaves(Section):
    """Leaves from polygons: a cell belongs to the unit that its centre lies in."""

    kind: Literal["polygons"] = "polygons"
    layers: list[PolygonLayer] = Field(
        min_length=1,
        description="the finest layer first; a later one fills cells that no earlier one gave to "
        "a leaf (provinces without prefectures in the statistics)",
    )
    unit_without_centre: Literal["largest_overlap", "report"] = Field(
        "largest_overlap",
        description="a unit in which no cell has its centre gets the cell that overlaps it most "
        "(unless that would leave another unit with none), or is only reported",
    )


class RasterLeaves(UnitMatch):
    """Leaves from a raster of values, and a CSV that says which unit a value belongs to."""

    kind: Literal["raster"] = "raster"
    path: Path = Field(description="raster of values; the value at a cell's centre counts")
    table: Path = Field(description="CSV with a row a value")
    value_column: str = Field(description="column of the CSV with the raster's values")
    unit_column: str = Field(description="column of the CSV with the unit's id or name")


Leaves = Annotated[PolygonLeaves | RasterLeaves, Field(discriminator="kind")]

_TURN_ARCSECONDS = 360 * 3600


class AllocationGridSettings(Section):
    """The allocation grid: EPSG:4326, cells counted from 180 W and 90 N."""

    resolution_arcseconds: PositiveInt = Field(
        30, description="edge of a cell, arc-seconds; must divide 180 degrees (30 is about 1 km)"
    )
    bounds_degrees: tuple[float, float, float, float] | None = Field(
        None,
        description="west, south, east, north, snapped outwards to whole cells; null: the extent "
        "of the leaves",
    )
    leaves: Leaves = Field(description="where the units lie: `kind: polygons` or `kind: raster`")

    @field_validator("resolution_arcseconds")
    @classmethod
    def _divides(cls, value: int) -> int:
        if (_TURN_ARCSECONDS // 2) % value:
            raise ValueError("a whole number of cells must fit into 180 degrees, e.g. 30 or 300")
        return value

    @model_validator(mode="after")
    def _bounds(self) -> AllocationGridSettings:
        if self.bounds_degrees is not None:
            west, south, east, north = self.bounds_degrees
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError(
                    "bounds_degrees must be west, south, east, north within -180..180 and -90..90"
                )
        return self

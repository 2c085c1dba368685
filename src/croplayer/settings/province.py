"""Key `province`: which region, its counties, and what the statistics say of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat, model_validator

from cropbase.config import Section


class LayerQuery(Section):
    """Which features of a vector file are meant."""

    field: str = Field(description="attribute of the vector file")
    value: str | int = Field(description="value that the attribute must have")


class ProvinceSettings(Section):
    """The region that is mapped. Any region can play the part of a province."""

    title: str = Field(description="name as people read it on figures and reports")
    boundary: Path = Field(description="vector file with the polygon of the province")
    boundary_layer: str | None = Field(None, description="layer of the boundary file, if several")
    boundary_query: LayerQuery | None = Field(
        None, description="features of the boundary file that make up the province; null: all"
    )
    counties: Path = Field(description="vector file with the county polygons")
    counties_layer: str | None = Field(None, description="layer of the county file, if several")
    counties_query: LayerQuery | None = Field(
        None,
        description="features of the county file that are used; null: all that meet the province",
    )
    repair_counties: bool = Field(
        False,
        description="mend invalid county polygons (shapely.make_valid) and list them in the log; "
        "false refuses them",
    )
    county_id_field: str = Field(
        "county_id", description="attribute with a unique id of the county"
    )
    county_name_field: str = Field("county", description="attribute with the name of the county")
    city_name_field: str = Field(
        "city", description="attribute with the name of the city (prefecture) of the county"
    )
    official_area_ha: PositiveFloat | None = Field(
        None,
        description="official cropland area, hectares; null if a table is given or none is known",
    )
    official_area_table: Path | None = Field(
        None,
        description="CSV with columns province, area_ha, source: official cropland areas, hectares",
    )
    official_area_source: str | None = Field(
        None, description="where official_area_ha is from: survey, year, address"
    )
    generated: bool = Field(
        False, description="true if the province and its imagery are generated and not real"
    )

    @model_validator(mode="after")
    def _one_official_area(self) -> ProvinceSettings:
        if self.official_area_ha is not None and self.official_area_table is not None:
            raise ValueError("give official_area_ha or official_area_table, not both")
        return self

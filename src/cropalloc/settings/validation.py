"""Key `validation`: statistics that were not used, other products, simple baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from cropbase.config import Section

Baseline = Literal["cropland", "suitability_cropland"]


class UnitBoundaries(Section):
    """Polygons of the units of validation, where they are not units of the case."""

    path: Path = Field(description="vector file that GDAL reads, any CRS")
    layer: str | None = Field(None, description="layer of a file with several; null: the only one")
    attribute: str = Field(description="attribute that holds the unit's id")


class ProductMap(Section):
    """One map of another gridded product: hectares of harvested area a cell (SPAM and kin)."""

    crop: str = Field(description="id of the crop")
    path: Path = Field(description="GeoTIFF in EPSG:4326, or a zip that holds one")
    member: str | None = Field(
        None, description="name of the file in the zip; null: the only GeoTIFF in it"
    )
    hectares_per_value: PositiveFloat = Field(
        1.0, description="hectares that a value of 1 stands for (100 for square kilometres)"
    )


class ValidationSettings(Section):
    """Comparison with statistics of a level that was not used (Eq. 17-19)."""

    boundaries: UnitBoundaries | None = Field(
        None,
        description="polygons of the units of validation; a cell belongs to the unit that its "
        "centre lies in; null: they are units of the case",
    )
    level: NonNegativeInt | None = Field(
        None, description="compare units of this level of the case alone; null: all that are given"
    )
    both_zero: Literal["keep", "drop"] = Field(
        "keep",
        description="units where statistics and map are both zero: kept in the measures, or left "
        "out (they raise R2 and lower RMSE)",
    )
    min_units: int = Field(
        3, ge=2, description="a crop with fewer units is listed, without measures"
    )
    baselines: list[Baseline] = Field(
        default_factory=lambda: ["cropland", "suitability_cropland"],
        description="simple allocations that the maps are judged beside",
    )
    baseline_capped: bool = Field(
        True,
        description="baselines heed the cropland of a cell (what does not fit goes where there is "
        "room), or are purely proportional",
    )
    products: dict[str, list[ProductMap]] = Field(
        default_factory=dict, description="name of another product -> its maps of the year"
    )

    @model_validator(mode="after")
    def _once(self) -> ValidationSettings:
        for name, listed in self.products.items():
            crops = [product.crop for product in listed]
            twice = {crop for crop in crops if crops.count(crop) > 1}
            if twice:
                raise ValueError(f"product {name} has two maps of {', '.join(sorted(twice))}")
        return self

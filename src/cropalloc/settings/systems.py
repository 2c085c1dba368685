"""Key `systems`: which part of a crop is irrigated, rainfed high-input, rainfed low-input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from cropbase.config import Section


class UnitTable(Section):
    """A CSV with values by unit and crop, one row a unit (wide) or one a value (long).

    Wide: a column a crop (and a column with the system, where values differ by system). Long: a
    column with the crop and a column with the value.
    """

    kind: Literal["table"] = "table"
    path: Path = Field(description="CSV file, UTF-8; {year} stands for the year of the statistics")
    form: Literal["wide", "long"] = Field("wide", description="a column a crop, or a row a value")
    unit_column: str | None = Field(
        "adm_code", description="column with the unit's id; null: the values hold everywhere"
    )
    system_column: str | None = Field(
        "system", description="column with the system (I, H, L, or S, which is merged into L)"
    )
    crop_column: str = Field("crop", description="column with the crop's name (long form)")
    value_column: str = Field("value", description="column with the value (long form)")
    year_column: str | None = Field(None, description="column with the year, if there is one")
    year_rule: Literal["exact", "nearest"] = Field(
        "exact", description="rows of the year itself, or of the nearest year (the earlier of two)"
    )
    vocabulary: str = Field(
        "spam", description="naming of the crops: a key of config/crops.yaml, or id"
    )
    missing_values: list[float] = Field(
        default_factory=lambda: [-999.0], description="numbers that stand for a missing value"
    )
    scale: PositiveFloat = Field(1.0, description="multiply the values, e.g. 0.01 for percent")
    deepest_level: NonNegativeInt | None = Field(
        None, description="ignore rows of units below this level (0: the whole area alone)"
    )


class ShareGrid(Section):
    """Irrigated shares from rasters, averaged over the cells of a unit."""

    kind: Literal["grid"] = "grid"
    rasters: dict[str, Path] = Field(
        min_length=1,
        description="crop id -> raster of its irrigated share; key `all` serves every other crop; "
        "{year} in a path stands for the year",
    )
    scale: PositiveFloat = Field(1.0, description="multiply the values, e.g. 0.01 for percent")
    weight: Literal["cell_area", "cropland"] = Field(
        "cell_area", description="weight of a cell in the mean of its unit"
    )
    cropland: Path | None = Field(
        None, description="raster that weighs the cells (hectares or share), for weight: cropland"
    )

    @model_validator(mode="after")
    def _weight_is_given(self) -> ShareGrid:
        if (self.weight == "cropland") != (self.cropland is not None):
            raise ValueError("`cropland` must be given with weight: cropland, and only then")
        return self


class SystemsSettings(Section):
    """Production systems (Eq. 3-6) and physical area (Eq. 7).

    Either `shares` gives the shares of I, H and L in full, or `irrigated` gives I, and H follows
    from fertiliser rates: `fertiliser` / `recommended`, both kg/ha.
    """

    known_for: Literal["target", "whole_area"] = Field(
        "target",
        description="whether the totals of the systems hold in every target, or only over the "
        "whole area (then the allocation may shift systems between targets)",
    )
    shares: UnitTable | None = Field(None, description="shares of I, H and L (and S) in full")
    irrigated: Annotated[UnitTable | ShareGrid, Field(discriminator="kind")] | None = Field(
        None, description="irrigated shares alone, from a table or from rasters"
    )
    default_irrigated_share: float | None = Field(
        None, ge=0, le=1, description="where no irrigated share is known; null: that is an error"
    )
    fertiliser: UnitTable | None = Field(None, description="fertiliser applied, kg/ha (Eq. 3)")
    recommended: UnitTable | None = Field(None, description="recommended fertiliser, kg/ha (Eq. 4)")
    default_high_input_ratio: NonNegativeFloat | None = Field(
        None,
        description="applied / recommended fertiliser where one of the two is not known; null: "
        "that is an error",
    )
    intensity: UnitTable | None = Field(
        None, description="cropping intensity: harvested / physical area, by crop and system"
    )
    default_intensity: PositiveFloat = Field(
        1.0, le=4, description="cropping intensity where none is known, harvests a year"
    )
    share_tolerance: float = Field(
        0.01,
        ge=0,
        le=0.1,
        description="shares may leave 0-1, or their sum 1, by so much (they are cut to it, and "
        "that is reported); beyond it is an error",
    )

    @model_validator(mode="after")
    def _one_way(self) -> SystemsSettings:
        if self.shares is not None:
            for name in ("irrigated", "fertiliser", "recommended"):
                if getattr(self, name) is not None:
                    raise ValueError(f"give `shares` in full, or `{name}`, not both")
            if self.shares.system_column is None:
                raise ValueError("`shares` needs a `system_column`")
            return self
        if self.irrigated is None and self.default_irrigated_share is None:
            raise ValueError("give `shares`, `irrigated` or `default_irrigated_share`")
        if (self.fertiliser is None) != (self.recommended is None):
            raise ValueError("`fertiliser` and `recommended` go together")
        if self.fertiliser is None and self.default_high_input_ratio is None:
            raise ValueError("give `fertiliser` and `recommended`, or `default_high_input_ratio`")
        return self

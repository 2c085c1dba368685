"""Key `suitability`: how good a cell is for a crop in a system."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from cropbase.config import Section

System = Literal["I", "H", "L"]
_PLACES = {"crop", "spam", "gaez", "system", "year"}


class TravelTimeSettings(Section):
    """Access of Eq. 8."""

    path: str = Field(description="raster of the time to the nearest city; {year} allowed")
    scale: Literal["linear", "log"] = Field(
        "linear",
        description="access falls with the time, or with log(1 + time), which tells near cells "
        "apart where the farthest are very far",
    )
    missing_is: Literal["farthest", "never"] = Field(
        "farthest",
        description="a cell without a travel time counts as the farthest, or can hold no I or H",
    )


class MaskSettings(Section):
    """Cells that a map (population, urban extent) keeps crops out of."""

    path: str = Field(description="raster; {year} allowed")
    values: Literal["as_given", "per_pixel"] = Field(
        "as_given",
        description="as_given: shares, or a density; per_pixel: counts, turned into counts a km2",
    )
    above: float = Field(ge=0, description="cells above this value are masked or capped")
    action: Literal["never", "cap"] = Field(
        "never", description="never: no crop there; cap: no score above `cap_score` there"
    )
    cap_score: float = Field(0.0, ge=0, le=100, description="highest score of a capped cell")
    systems: list[System] = Field(["I", "H", "L"], description="the systems that this holds for")


class PriceSettings(Section):
    """The price table of Eq. 9."""

    path: Path = Field(description="CSV of producer prices, any one currency a tonne")
    crop_column: str = Field("crop", description="column with the crop")
    price_column: str = Field("price", description="column with the price")
    year_column: str | None = Field(
        None, description="column with the year; null: the prices hold for every year"
    )
    vocabulary: str | None = Field(
        None,
        description="naming of the crops, a key of config/crops.yaml (spam, faostat); null: all",
    )
    fallbacks: dict[str, str] = Field(
        default_factory=dict,
        description="crop without a price -> crop whose price it takes (ids of config/crops.yaml)",
    )


class SuitabilitySettings(Section):
    """Scores of Eq. 8-10."""

    potential_yield: str | None = Field(
        None,
        description="rasters of potential yield for I and H; {crop} {spam} {gaez} {system} {year}; "
        "null: there are none, and every I and H needs a fallback",
    )
    suitability_index: str | None = Field(
        None, description="rasters of the suitability index for L, same placeholders; null: none"
    )
    system_codes: dict[System, str] = Field(
        {"I": "I", "H": "H", "L": "L"}, description="what {system} stands for in the patterns"
    )
    gaez_names: dict[str, str] = Field(
        default_factory=dict,
        description="crop id -> what {gaez} stands for; without an entry it is the crop's first "
        "GAEZ name in config/crops.yaml, or that of its proxy",
    )
    potential_yield_unit: Literal["t_per_ha", "kg_per_ha"] = Field(
        "t_per_ha", description="unit of the potential yield"
    )
    potential_yield_is_dry: bool = Field(
        True, description="dry matter: divided by the crop's `dry_matter_share` to get fresh matter"
    )
    suitability_index_max: PositiveFloat = Field(
        100.0, description="the index that counts as 100 (GAEZ v4 files run to 10000)"
    )
    prices: PriceSettings | None = Field(
        None, description="prices; null: every crop is worth the same a tonne, and the report says"
    )
    revenue_scaling: Literal["all", "crop", "activity"] = Field(
        "all",
        description="the min-max scaling of the revenue spans all activities (a dear crop then "
        "scores above a cheap one), the systems of a crop, or each activity (prices cancel out)",
    )
    travel_time: TravelTimeSettings | None = Field(
        None, description="access; null: the same everywhere (100)"
    )
    population: MaskSettings | None = Field(None, description="crowded cells to mask or cap")
    urban: MaskSettings | None = Field(None, description="urban cells to mask or cap")
    fallbacks: dict[str, str] = Field(
        default_factory=dict,
        description="activity without a usable score -> another activity, or `uniform`: "
        "proportional to the cell's share of cropland. E.g. `wheat_I: wheat_H`",
    )
    default_fallback: Literal["uniform"] | None = Field(
        None, description="fallback of every activity that `fallbacks` does not name; null: none"
    )
    target_without_score: Literal["zero", "report"] = Field(
        "zero",
        description="a target in whose cells its crop can never grow: allow it there with score 0, "
        "or leave it and only report; its area becomes slack then",
    )
    min_cover_share: float = Field(
        1.0, ge=0, le=1, description="share of the cells with cropland that each raster must cover"
    )
    strip_rows: int = Field(1024, ge=1, description="rows of the grid in memory at a time")

    @field_validator("potential_yield", "suitability_index")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        if value is None:
            return value
        import re

        unknown = sorted(set(re.findall(r"{(\w*)}", value)) - _PLACES - {"data_root", "results"})
        if unknown:
            raise ValueError(
                f"unknown placeholder {{{unknown[0]}}}; known are "
                + ", ".join(f"{{{place}}}" for place in sorted(_PLACES))
            )
        if not any(f"{{{place}}}" in value for place in ("crop", "spam", "gaez")):
            raise ValueError("the pattern must hold {crop}, {spam} or {gaez}")
        return value

    @field_validator("system_codes")
    @classmethod
    def _codes(cls, value: dict[str, str]) -> dict[str, str]:
        return {"I": "I", "H": "H", "L": "L"} | value

    @model_validator(mode="after")
    def _fallbacks(self) -> SuitabilitySettings:
        for key, other in self.fallbacks.items():
            for activity in (key, other):
                if activity == "uniform" and activity is other:
                    continue
                crop, _, system = activity.rpartition("_")
                if not crop or system not in ("I", "H", "L"):
                    raise ValueError(
                        f"fallbacks: {activity!r} is no activity; write <crop>_<I|H|L>"
                        + ("" if activity is key else ", or uniform")
                    )
        return self

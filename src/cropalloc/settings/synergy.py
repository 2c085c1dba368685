"""Key `synergy`: cropland and irrigated land from several sources."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from cropbase.config import Section

ValueKind = Literal["fraction", "percent", "km2", "hectares", "classes", "cropland_mask"]


class LandSource(Section):
    """One map of cropland or of irrigated land."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_\-]+$", description="name of the source in tables and score tables"
    )
    paths: list[str] = Field(
        min_length=1,
        description="rasters; {year} stands for the node year, * and ? for anything (shards)",
    )
    kind: ValueKind = Field(
        "fraction",
        description="what a value means: share of the pixel (0-1), percent of it, km2 or hectares "
        "a pixel, land-cover classes, or the 2 m cropland mask (0 no, 1 yes, 254 unusable, "
        "255 outside)",
    )
    band: int = Field(1, ge=1, description="band of the rasters")
    classes: dict[int, float] = Field(
        default_factory=dict,
        description="for kind classes: code -> share of such a pixel that counts (1 = all of it)",
    )
    nodata: float | None = Field(
        None, description="value without data; null: the one that the file itself declares"
    )
    nodata_is: Literal["outside", "unusable"] = Field(
        "outside",
        description="pixels without data: outside (no land of this kind there, as in the sea), or "
        "unusable (leave the denominator: the cell's usable part stands for them)",
    )
    years: list[int] | None = Field(
        None,
        description="node years at which the source is used; null: all. In other years it is left "
        "out, and the report says so",
    )

    @model_validator(mode="after")
    def _classes(self) -> LandSource:
        if (self.kind == "classes") != bool(self.classes):
            raise ValueError("`classes` is needed for kind classes, and only there")
        if any(not 0 < share <= 1 for share in self.classes.values()):
            raise ValueError("the share of a class must lie above 0 and not above 1")
        if self.kind == "cropland_mask" and self.nodata is not None:
            raise ValueError("kind cropland_mask has its own codes (254, 255); leave out `nodata`")
        return self


class LandSettings(Section):
    """The sources of one kind of land, and how their combinations rank."""

    sources: list[LandSource] = Field(
        min_length=1, max_length=12, description="the most trusted source first"
    )
    score_table: Path | None = Field(
        None,
        description="CSV `sources,rank`, a row for every combination of sources, names joined by "
        "+ (`CACD+CLCD,3`), 1 the best; null: agreement first, then the order of the sources",
    )
    sees_above_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="a source sees land in a cell if it has more than this share of the cell",
    )

    @field_validator("sources")
    @classmethod
    def _names(cls, value: list[LandSource]) -> list[LandSource]:
        names = [source.name for source in value]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"source names must differ; doubled: {', '.join(doubled)}")
        return value


class SynergySettings(Section):
    """Synergy of cropland and of irrigated cropland (paper, Tables S7 and S8)."""

    cropland: LandSettings = Field(description="maps of cropland")
    irrigated: LandSettings | None = Field(
        None, description="maps of irrigated cropland; null: no cell has any"
    )
    irrigated_above_cropland: Literal["cut", "raise"] = Field(
        "cut",
        description="where a cell has more irrigated land than cropland: cut the irrigated land "
        "down to the cropland, or raise the cropland up to it; how much is reported",
    )
    strip_rows: NonNegativeInt = Field(
        512, ge=1, description="rows of the grid in memory at a time"
    )

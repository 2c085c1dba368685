"""The whole configuration of an allocation case, one section a top-level key."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from cropalloc.settings.allocation import AllocationSettings
from cropalloc.settings.change import ChangeSettings
from cropalloc.settings.demo import AllocationDemoSettings
from cropalloc.settings.grid import AllocationGridSettings
from cropalloc.settings.maps import MapSettings
from cropalloc.settings.selection import SelectionSettings
from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.settings.synergy import SynergySettings
from cropalloc.settings.systems import SystemsSettings
from cropalloc.settings.validation import ValidationSettings
from cropbase.atlas.settings import ReportSettings
from cropbase.config import Section


class CaseSettings(Section):
    """What the case is called, and how far it goes."""

    title: str = Field(description="name of the case for figures and the report")
    generated: bool = Field(False, description="everything is generated: no real place")
    stages: str = Field(
        "maps",
        pattern="^(statistics|maps)$",
        description="statistics: end with the harmonised tables (where grids are lacking); maps: "
        "go on to the maps",
    )


class Case(Section):
    """All keys of `config/allocation/default.yaml` overlaid by one case's file."""

    case: CaseSettings = Field(description="title, and how far the case goes")
    statistics: StatisticsSettings = Field(description="tables, units, means, harmonisation")
    systems: SystemsSettings | None = Field(None, description="irrigated, high and low input")
    grid: AllocationGridSettings | None = Field(None, description="cells and their units")
    synergy: SynergySettings | None = Field(None, description="cropland and irrigated cropland")
    suitability: SuitabilitySettings = Field(SuitabilitySettings(), description="scores")
    selection: SelectionSettings = Field(SelectionSettings(), description="land before solving")
    allocation: AllocationSettings = Field(AllocationSettings(), description="model and solver")
    maps: MapSettings = Field(MapSettings(), description="names and metadata of the GeoTIFFs")
    validation: ValidationSettings = Field(
        ValidationSettings(), description="statistics that were not used, other products"
    )
    change: ChangeSettings = Field(ChangeSettings(), description="shares, ellipses, profiles")
    report: ReportSettings = Field(ReportSettings(), description="the standalone report")
    demo: AllocationDemoSettings | None = Field(
        None, description="the generated case; null everywhere else"
    )
    crops: Path = Field(Path("config/crops.yaml"), description="concordance of crop names")
    data_root: Path = Field(
        Path("data"),
        description="folder of the user's own data, written {data_root} in other paths; the "
        "environment variable CROPLAYER_DATA_ROOT wins over it",
    )

    @model_validator(mode="after")
    def _maps_need_grids(self) -> Case:
        if self.case.stages == "maps":
            lacking = [name for name in ("systems", "grid", "synergy") if not getattr(self, name)]
            if lacking:
                raise ValueError(
                    f"case.stages: maps needs the section{'s' if len(lacking) > 1 else ''} "
                    f"{', '.join(lacking)}; without grids set case.stages: statistics"
                )
        return self

"""Key `demo`: the generated allocation case."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cropbase.config import Section


class AllocationDemoSettings(Section):
    """What the generator of the built-in case draws. It is GENERATED: no real place."""

    seed: int = Field(7, ge=0, description="seed of everything that is drawn")
    counties: Path = Field(description="county polygons of the built-in province")
    elevation: Path = Field(description="its elevation model")
    truth: Path = Field(description="its true cropland, 1 = cropland")
    towns_a_county: int = Field(12, ge=2, le=100, description="towns that a county is cut into")
    resolution_arcseconds: int = Field(30, ge=1, description="cells in which the truth is drawn")
    years: list[int] = Field([2015, 2020], min_length=1, description="node years")

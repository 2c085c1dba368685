"""Key `change`: crop shares, standard deviational ellipses, profiles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat

from cropbase.config import Section


class ChangeSettings(Section):
    """Spatial change of crops over the years (Eq. 20-23)."""

    crops: list[str] = Field(
        default_factory=list, description="crops with ellipses and profiles; empty: all"
    )
    weights: Literal["area", "area_squared"] = Field(
        "area",
        description="weight of a cell in the spread of an ellipse: its area w, as is usual, or w "
        "squared, as Eq. 21-23 print; the centre is weighted by w in both (Eq. 20)",
    )
    projection: str = Field(
        "laea",
        description="equal-area projection of the ellipses: laea (centred on the maps), albers "
        "(parallels at a sixth of the maps' height from both ends), or any CRS that pyproj reads "
        "and that keeps areas",
    )
    standard_deviations: PositiveFloat = Field(
        1.0, le=5, description="semi-axes of an ellipse, in standard deviations"
    )
    profile_bin_degrees: PositiveFloat = Field(
        0.5, le=10, description="width of the bins of the profiles, degrees"
    )

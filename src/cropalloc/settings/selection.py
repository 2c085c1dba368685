"""Key `selection`: how much land a cell offers, decided before any solver runs."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat

from cropbase.config import Section


class SelectionSettings(Section):
    """Consistency of demand and land, and promotion of cells to their maximum."""

    promote: bool = Field(
        True,
        description="raise cells from mean to maximum land, best rank first, where a unit lacks "
        "land; false: only report",
    )
    margin_share: NonNegativeFloat = Field(
        0.0, le=1, description="land wanted beyond the demand, as a share of the demand"
    )
    tolerance_share: NonNegativeFloat = Field(
        1e-9, le=1e-3, description="a lack below this share of the demand is rounding"
    )

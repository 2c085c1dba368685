"""Key `allocation`: the model of Eq. 11-16 and how it is solved."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from cropbase.config import Section


class AllocationSettings(Section):
    """The objective, the slack, the method and the jobs of the allocation."""

    weighting: Literal["area", "share"] = Field(
        "area",
        description="what a score point is worth: area = each hectare the same; share = each "
        "statistic the same, whatever its area (score x share of the unit's physical area)",
    )
    slack: Literal["lexicographic", "weights"] = Field(
        "lexicographic",
        description="lexicographic = first the fewest hectares unplaced, then the best score, land "
        "never exceeded; weights = the printed penalties, by which land may be exceeded",
    )
    land_penalty_per_ha: PositiveFloat = Field(
        1e6,
        description="score lost by a hectare beyond cropland or irrigated land (slack: weights)",
    )
    statistic_penalty: PositiveFloat = Field(
        1e5,
        description="score lost by a statistic that is not placed at all, in proportion to the "
        "part of it that is not (slack: weights)",
    )
    jobs: PositiveInt = Field(
        1,
        le=1000,
        description="jobs that the groups of a year are dealt to (a group is a set of units that "
        "no statistic joins to another); more jobs than groups leave some empty",
    )
    solver: Literal["exact", "reference"] = Field(
        "exact",
        description="exact = the structured solver; reference = the PuLP model, slower by far",
    )
    reference_solver: str = Field(
        "HiGHS",
        description="PuLP's name of the solver of the reference model: HiGHS, PULP_CBC_CMD, "
        "GUROBI, CPLEX_PY, ...",
    )
    time_limit_s: PositiveFloat = Field(
        1800.0,
        description="seconds after which a group of units ends with what was reached; it is kept "
        "where its proven gap is within max_relative_gap, else it is an error",
    )
    gap: NonNegativeFloat = Field(
        1e-9,
        le=1e-2,
        description="relative duality gap that is good enough: the exact solver ends where it has "
        "proven this much; not above max_relative_gap",
    )
    rounding_tolerance: PositiveFloat = Field(
        1e-6,
        le=1e-3,
        description="a negative statistic is set to zero and told while it is no larger than this "
        "share of the largest area of its crop; below that it is an error",
    )
    max_relative_gap: PositiveFloat = Field(
        1e-9,
        le=1e-2,
        description="relative duality gap and relative residuals that the certificate must not "
        "exceed, however the solver ended",
    )

    @model_validator(mode="after")
    def _gap_is_allowed(self) -> Self:
        if self.gap > self.max_relative_gap:
            raise ValueError(
                f"gap ({self.gap:g}) must not be above max_relative_gap "
                f"({self.max_relative_gap:g}): what ends there would be refused"
            )
        return self

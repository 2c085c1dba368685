"""Key `allocation`: the model of Eq. 11-16 and how it is solved."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

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
        description="seconds after which the exact solver gives up a group of units with an "
        "error, rather than run without end",
    )
    rounding_tolerance: PositiveFloat = Field(
        1e-6,
        le=1e-3,
        description="a negative statistic is set to zero and told while it is no larger than this "
        "share of the largest area of its crop; below that it is an error",
    )
    max_relative_gap: PositiveFloat = Field(
        1e-9,
        le=1e-3,
        description="relative duality gap and relative residuals that the certificate must not "
        "exceed",
    )

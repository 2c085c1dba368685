"""Key `active`: which blocks are worth labelling next, and how many."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from cropbase.config import Section
from cropbase.errors import ConfigError
from croplayer.blocks.classes import COVERAGE_TYPES

Share = Annotated[float, Field(ge=0, le=1)]
USUAL_WINDOWS, MOST_WINDOWS = 72, 256
"""Windows along the edge of a block: the number that is aimed at, and the largest allowed."""


class SignalWeights(Section):
    """What the signs of a wrong map count against each other; 0 leaves a sign out."""

    alarm: NonNegativeFloat = Field(
        1.0,
        description="weight of the alarm of semantic correctness: the probability that the block's "
        "map is FP, Noise or Artifacts",
    )
    disagreement: NonNegativeFloat = Field(
        1.0, description="weight of the share of the block that only one of the two sources maps"
    )
    product: NonNegativeFloat = Field(
        1.0, description="weight of the share of the block where an existing product differs"
    )
    uncertainty: NonNegativeFloat = Field(
        1.0, description="weight of the uncertainty of the segmentation's probabilities"
    )

    @model_validator(mode="after")
    def _something_counts(self) -> SignalWeights:
        if not any(self.model_dump().values()):
            raise ValueError("at least one weight must be above 0")
        return self


class Stratum(Section):
    """A kind of block that gets a share of the labels. A block belongs to the first that fits."""

    name: str = Field(min_length=1, description="name as it stands in the list and on the map")
    slope_below_degrees: PositiveFloat | None = Field(
        None, description="blocks whose median slope is below this, degrees; null: any slope"
    )
    coverage_types: tuple[Literal[COVERAGE_TYPES], ...] = Field(
        (), description="coverage types (Table 1) of the source to be labelled; empty: any"
    )
    share: Share | None = Field(
        None,
        description="share of the chosen blocks; null: in proportion to the number of its blocks "
        "among all such strata",
    )


class ActiveSettings(Section):
    """Choosing what to label next (paper, section 3.2.1)."""

    in_every_run: bool = Field(
        False, description="choose in every run of the workflow, not for the target `choose` alone"
    )
    blocks: int = Field(40, ge=1, le=100_000, description="blocks to choose for the next round")
    random_share: Share = Field(
        0.2,
        description="share of these drawn plainly at random, with known probability: the only ones "
        "from which accuracy can be estimated without bias",
    )
    weights: SignalWeights = Field(
        SignalWeights(), description="what each sign of a wrong map counts"
    )
    uncertainty: Literal["entropy", "margin"] = Field(
        "entropy",
        description="measure of uncertainty of a pixel: binary entropy of its probability p in "
        "bits, or the margin as 1 - |2p - 1|",
    )
    diversity: Share = Field(
        0.3,
        description="share of each stratum's candidates, those of highest priority, among which "
        "the farthest from everything labelled are taken (k-centre greedy in the model's feature "
        "space): 0 takes the highest priorities alone, 1 is k-centre greedy over all candidates",
    )
    strata: tuple[Stratum, ...] = Field(
        (
            Stratum(name="flat", slope_below_degrees=2.0),
            Stratum(name="hilly", slope_below_degrees=10.0),
            Stratum(name="steep or unknown"),
        ),
        min_length=1,
        description="kinds of blocks and their shares; the last one must take every block",
    )
    windows_per_edge: int | None = Field(
        None,
        ge=1,
        le=MOST_WINDOWS,
        description="a block is cut into so many times so many windows, some of which are "
        "suggested as the extents to label; 1 suggests whole blocks; must divide "
        "grid.pixels_per_block; null takes the divisor nearest to 72, with which windows are about "
        "75 m wide",
    )
    extents_per_block: int = Field(
        8,
        ge=1,
        le=10_000,
        description="windows of a block that are suggested as extents to label; training holds "
        "each of them with its surroundings in memory, 6 MB a source with chips of 512 pixels",
    )
    extent_power: NonNegativeFloat = Field(
        4.0,
        description="a window's chance to be drawn grows with this power of its strength (the "
        "weighted mean of its signs' percentiles in its block): 0 draws plainly, a large number "
        "takes the most doubtful windows alone, which are often of one kind",
    )
    chips_per_edge: int = Field(
        3,
        ge=1,
        le=32,
        description="chips along the edge of a block from which its place in the model's feature "
        "space is taken",
    )
    labelled_share: Share = Field(
        0.001,
        description="a block of which labelled extents cover more than this is labelled already: "
        "by default one whose suggested extents were labelled",
    )
    min_inside_share: Share = Field(
        0.5, description="least share of a block inside the province for it to be chosen"
    )
    min_valid_share: Share = Field(
        0.5, description="least share of a block with imagery for it to be chosen"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed of the random blocks and windows")

    @model_validator(mode="after")
    def _strata_cover_everything(self) -> ActiveSettings:
        names = [stratum.name for stratum in self.strata]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two strata have the name {doubled[0]!r}")
        last = self.strata[-1]
        if last.slope_below_degrees is not None or last.coverage_types:
            raise ValueError(
                f"the last stratum, {last.name!r}, must take every block that no other takes: give "
                "it neither slope_below_degrees nor coverage_types"
            )
        shares = [stratum.share for stratum in self.strata]
        total = sum(share for share in shares if share is not None)
        if total > 1 + 1e-9:
            raise ValueError(f"the shares of the strata sum to {total:g}, which is more than 1")
        if None not in shares and total < 1 - 1e-9:
            raise ValueError(f"the shares of the strata sum to {total:g}, which is less than 1")
        return self

    def windows_along(self, pixels_per_block: int) -> int:
        """Windows along the edge of a block.

        Raises ConfigError if `windows_per_edge` does not divide it.
        """
        divisors = [n for n in range(1, MOST_WINDOWS + 1) if pixels_per_block % n == 0]
        if self.windows_per_edge is None:
            return min(divisors, key=lambda n: abs(n - USUAL_WINDOWS))
        if self.windows_per_edge not in divisors:
            raise ConfigError(
                "active.windows_per_edge does not divide grid.pixels_per_block",
                given=f"{self.windows_per_edge} windows, {pixels_per_block} pixels",
                allowed=", ".join(map(str, divisors)),
            )
        return self.windows_per_edge

    @property
    def needs_slope(self) -> bool:
        """True if a stratum asks for the slope of a block."""
        return any(stratum.slope_below_degrees is not None for stratum in self.strata)

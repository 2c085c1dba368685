"""Settings of the built-in generated province (see `croplayer.demo`)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from cropbase.config import Section


class DemoSettings(Section):
    """What the generator of the demo province makes. Everything it writes is generated."""

    seed: int = Field(20, ge=0, description="Seed of everything generated; one seed, one province.")
    west_degrees: float = Field(
        112.0, ge=-170, le=170, description="West edge of the generated landscape, degrees."
    )
    south_degrees: float = Field(
        24.0, ge=-60, le=60, description="South edge of the generated landscape, degrees."
    )
    blocks_wide: int = Field(8, ge=2, le=40, description="Blocks from west to east.")
    blocks_high: int = Field(6, ge=2, le=40, description="Blocks from south to north.")
    margin_pixels: int = Field(
        320,
        ge=64,
        le=2000,
        description="Pixels of landscape beyond the blocks, so that halos have imagery.",
    )
    zoom: int = Field(14, ge=8, le=19, description="Zoom level of the generated web-map tiles.")
    sources: tuple[str, str] = Field(
        ("summer", "winter"),
        description="Names of the two generated sources: the planting season, then the other.",
    )
    cloudy_blocks: tuple[int, int] = Field(
        (4, 3), description="Cloudy blocks in the first and in the second source."
    )
    snow_blocks: int = Field(
        3, ge=0, description="Snow-covered blocks in the second (winter) source."
    )
    nodata_blocks: tuple[int, int] = Field(
        (2, 2), description="Blocks without data in the first and in the second source."
    )
    train_extents: int = Field(24, ge=1, description="Labelled extents of the training split.")
    validation_extents: int = Field(6, ge=1, description="Labelled extents for validation.")
    extent_pixels: int = Field(
        224,
        ge=32,
        multiple_of=8,
        description="Edge of a labelled extent, pixels of the block grid.",
    )
    official_deviation_percent: tuple[float, float] = Field(
        (2.0, 3.0),
        description="Smallest and largest deviation of the generated official area from the "
        "true one, percent; its sign is drawn too.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sources[0] == self.sources[1]:
            raise ValueError("the two sources need two names")
        low, high = self.official_deviation_percent
        if not 0 <= low <= high <= 20:
            raise ValueError("official_deviation_percent: 0 <= smallest <= largest <= 20")
        if min(*self.cloudy_blocks, *self.nodata_blocks) < 0:
            raise ValueError("numbers of blocks cannot be negative")
        return self

"""Keys `grid` and `plan`: the block grid of the province, and the rates of the preview."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, model_validator

from cropbase.config import Section
from cropbase.errors import InputError
from croplayer.grid import BlockGrid


class GridSettings(Section):
    """Blocks and shards. Changing any of these means starting anew from the tiles."""

    block_degrees: PositiveFloat = Field(
        0.05, le=10, description="edge of a block, degrees (hundredths; must divide 180)"
    )
    pixels_per_block: int = Field(
        2304, ge=16, le=32768, description="pixels along a block's edge; 2304 is 2.4 m, zoom 16"
    )
    shard_degrees: PositiveFloat = Field(
        1.0, le=90, description="edge of a shard, degrees; a whole number of blocks"
    )

    @model_validator(mode="after")
    def _makes_a_grid(self) -> GridSettings:
        try:
            self.grid()
        except InputError as error:
            raise ValueError(
                f"{error.problem}: given {error.given}, allowed are {error.allowed}"
            ) from None
        return self

    def grid(self) -> BlockGrid:
        """The block grid that these settings describe."""
        return BlockGrid(self.block_degrees, self.pixels_per_block, self.shard_degrees)


class PlanSettings(Section):
    """Rates behind the preview's disk and hours. Take them from a run of your own machine."""

    bytes_per_tile: PositiveFloat = Field(
        14_000, description="mean size of a stored tile, bytes (zoom-16 JPEG over farmland)"
    )
    mosaic_bytes_per_pixel: PositiveFloat = Field(
        0.5, description="mean size of a mosaic pixel on disk, bytes (JPEG, quality 90)"
    )
    mosaic_megapixels_per_second: PositiveFloat = Field(
        5.0, description="mosaic speed of one core, megapixels a second"
    )
    segmentation_megapixels_per_second: PositiveFloat = Field(
        1.0, description="inference speed of one device, megapixels a second"
    )
    blocks_per_second: PositiveFloat = Field(
        0.5, description="speed of quality and features together on one core, blocks a second"
    )
    seconds_per_job: PositiveFloat = Field(
        6.0, description="start of one job: interpreter, imports, scheduling, seconds"
    )

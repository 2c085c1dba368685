"""Settings of the mosaic: imagery brought to the global pixel grid."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cropbase.config import Section


class MosaicSettings(Section):
    """How imagery becomes rasters on the global pixel grid."""

    resampling: Literal["bilinear", "nearest", "cubic", "average"] = Field(
        "bilinear",
        description="Kernel of the resampling. bilinear and cubic widen where the imagery is finer "
        "than the grid, so they do not alias; average is the mean under the output pixel.",
    )
    halo_pixels: int = Field(
        512,
        ge=0,
        le=4096,
        description="Imagery kept around the planned blocks, pixels of the grid, so that no later "
        "stage needs the neighbouring shard.",
    )
    compression: Literal["deflate", "zstd", "jpeg", "webp"] = Field(
        "deflate",
        description="Compression of the files. deflate and zstd are lossless; jpeg and webp take a "
        "fifth of the space, but then the same pixel may differ a little between the halos of two "
        "shards.",
    )
    quality: int = Field(
        90, ge=1, le=100, description="Quality of jpeg and webp, percent; unused otherwise."
    )

"""Key `maps`: names, type and metadata of the maps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cropbase.config import Section

_WORD = r"^[A-Za-z0-9.\-]+$"


class MapSettings(Section):
    """GeoTIFFs `<prefix>_<crop>_<system>_<resolution_label>_<year>_<country>.tif`."""

    prefix: str = Field("ha", pattern=_WORD, description="first word of a file's name")
    resolution_label: str = Field(
        "30sec", pattern=_WORD, description="the grid's resolution as it stands in file names"
    )
    country: str = Field("CHN", pattern=_WORD, description="last word of a file's name, ISO code")
    dtype: Literal["float32", "float64"] = Field("float32", description="type of the values")
    nodata: Literal["nan", "-9999"] = Field(
        "nan", description="value of cells outside the case; a cell without the crop is 0"
    )
    compression: Literal["deflate", "zstd", "lzw"] = Field(
        "deflate", description="lossless compression of the tiles"
    )
    source: str = Field("", description="what the statistics rest on, for the files' metadata")
    version: str = Field("", description="version of the maps, for the files' metadata")
    note: str = Field(
        "",
        description="a sentence for the metadata of every file, e.g. that the data are generated",
    )
    tolerance_share: float = Field(
        1e-6,
        gt=0,
        le=1e-3,
        description="map and statistics less slack may differ by this share of the statistics",
    )

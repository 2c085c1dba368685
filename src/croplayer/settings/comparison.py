"""Key `comparison`: the products beside which the final map is put, and the reference sample."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cropbase.config import Section


class ProductFiles(Section):
    """Where the files of one product are."""

    files: tuple[str, ...] = Field(
        (),
        description="files as published: GeoTIFF, VRT or zip; glob patterns, in the order of "
        "precedence where they overlap",
    )
    download: bool = Field(
        False,
        description="fetch the tiles that the province needs from the catalogue's open address",
    )
    checksums: Path | None = Field(
        None, description="CSV with columns file, sha256: what a downloaded file must be"
    )

    @model_validator(mode="after")
    def _one_road(self) -> Self:
        if self.download == bool(self.files):
            raise ValueError("give files, or download: true")
        return self


class DownloadSettings(Section):
    """Manners of a download; changing them fetches nothing again."""

    folder: Path = Field(
        Path("data/products"), description="where downloaded files lie, for all provinces"
    )
    timeout_seconds: float = Field(60, gt=0, description="longest silence of the server")
    max_attempts: int = Field(8, ge=1, description="attempts at a file that make no headway")
    backoff_seconds: float = Field(
        2, ge=0, description="wait after the first failure; doubled each time, at most 5 minutes"
    )


class ReferenceSample(Section):
    """A stratified random sample of points whose true class people interpreted."""

    points: Path = Field(
        description="CSV (lon, lat, stratum, reference) or a vector file of points (stratum, "
        "reference); reference is cropland or not_cropland, or a group of Fig. 4 or not_cropland"
    )
    strata: Path = Field(description="CSV with columns stratum, area_ha: the strata's whole areas")


class ComparisonSettings(Section):
    """Pixels, blocks and province beside existing products (paper, section 3.4)."""

    catalogue: Path = Field(
        Path("config/products.yaml"), description="what each product is; see its schema"
    )
    products: dict[str, ProductFiles] = Field(
        {}, description="products of the catalogue to compare with, in the order of the figures"
    )
    map_year: int | None = Field(
        None, ge=1980, le=2100, description="year that the map is of; null: products' years pass"
    )
    least_coverage: float = Field(
        0.98,
        gt=0,
        le=1,
        description="share of the province that a product must know to be put beside the official "
        "area",
    )
    least_af: float = Field(
        0.1,
        ge=0,
        le=1,
        description="area fraction above which a block enters the histogram over slope (Fig. 15)",
    )
    slope_edges_degrees: tuple[float, ...] = Field(
        (2.0, 5.0, 10.0, 15.0, 25.0),
        min_length=1,
        description="inner edges of the slope classes, ascending",
    )
    plate_blocks: int = Field(4, ge=1, le=12, description="blocks on the plate of maps")
    reference: ReferenceSample | None = Field(
        None, description="reference sample for design-based accuracy; null: none"
    )
    download: DownloadSettings = Field(DownloadSettings(), description="manners of downloads")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        edges = self.slope_edges_degrees
        if list(edges) != sorted(set(edges)) or edges[0] <= 0 or edges[-1] >= 90:
            raise ValueError("slope_edges_degrees: ascending, above 0 and below 90")
        return self

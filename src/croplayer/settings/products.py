"""The catalogue of existing products, `config/products.yaml`: what each is and how it is read."""

from __future__ import annotations

import string
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cropbase.config import Section

MAX_CODE = 255
"""Products are classes of one byte."""


class Membership(StrEnum):
    """Is it cropland by a definition? `unclear`: the definition does not say, or says both."""

    IN = "in"
    OUT = "out"
    UNCLEAR = "unclear"


GROUPS = ("annual_herbaceous", "greenhouse", "perennial_woody", "transitional")
"""The superset of cropland categories of the paper (section 2.2.7, Fig. 4)."""


class Definition(Section):
    """What a product calls cropland, a group of the superset classification each (Fig. 4)."""

    annual_herbaceous: Membership = Field(
        description="annual herbaceous crops: paddy fields, irrigated and rainfed cropland"
    )
    greenhouse: Membership = Field(description="crops under plastic or glass")
    perennial_woody: Membership = Field(description="orchards, tea, rubber and other plantations")
    transitional: Membership = Field(
        description="fallow land, managed grassland, temporarily bare fields"
    )

    def groups(self, *memberships: Membership) -> tuple[str, ...]:
        """The groups that have one of `memberships`, in the order of `GROUPS`."""
        return tuple(name for name in GROUPS if getattr(self, name) in memberships)


class Evidence(Section):
    """Where a statement of the catalogue is from, and whether it could be checked."""

    source: str = Field(description="the paper, documentation or file that says so")
    verified: bool = Field(description="checked against that source")
    reason: str | None = Field(None, description="why it could not be checked")

    @model_validator(mode="after")
    def _reasons(self) -> Self:
        if self.verified == (self.reason is not None):
            raise ValueError("a reason is given exactly where verified is false")
        return self


class LandClass(Section):
    """One class of a product."""

    code: int = Field(ge=0, le=MAX_CODE, description="value of the pixels")
    name: str = Field(description="name in the product's legend")
    cropland: Membership = Field(
        Membership.OUT,
        description="in: cropland; unclear: holds cropland among other things, counted as cropland "
        "only by the lenient reading; out: not cropland",
    )


class NativeGrid(Section):
    """Pixels as published. What the files themselves say wins, and a difference is told."""

    crs: str = Field(description="EPSG code or PROJ string, or `UTM` for a zone a tile")
    pixel_size: PositiveFloat = Field(description="edge of a pixel, in pixel_unit")
    pixel_unit: Literal["metre", "degree"] = Field(description="unit of pixel_size")


class Tiling(Section):
    """How the product is cut into files."""

    kind: Literal["single", "degrees", "utm", "mgrs", "regions"] = Field(
        description="single: one file; degrees: cells of longitude and latitude; utm: UTM zones "
        "cut by latitude; mgrs: UTM zones cut into bands of 8 degrees, named by letters; regions: "
        "archives a province or region, which the user chooses"
    )
    name: str = Field(
        description="name of a file; {ns}, {ew} are letters, {lat}, {lon} whole degrees without "
        "sign, {y}, {x} the same with sign, {zone} the UTM zone, {band} its letter"
    )
    width_degrees: PositiveInt | None = Field(None, description="width of a cell (degrees)")
    height_degrees: PositiveInt | None = Field(None, description="height of a cell (degrees, utm)")
    corner: Literal["sw", "nw"] = Field("sw", description="the corner that the name gives")

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        needed = {"degrees": ("width_degrees", "height_degrees"), "utm": ("height_degrees",)}
        for size in needed.get(self.kind, ()):
            if getattr(self, size) is None:
                raise ValueError(f"tiling of kind {self.kind} needs {size}")
        known = {"ns", "ew", "lat", "lon", "y", "x", "zone", "band"}
        try:
            fields = {field for _, field, _, _ in string.Formatter().parse(self.name) if field}
        except ValueError as error:
            raise ValueError(f"name: {error}") from None
        if fields - known:
            raise ValueError(f"name: unknown placeholder {{{sorted(fields - known)[0]}}}")
        return self


class ProductRaster(Section):
    """What reading the files of a product needs: a changed citation compares nothing again."""

    year: int = Field(ge=1980, le=2100, description="the year that the map is of")
    grid: NativeGrid = Field(description="pixels as published")
    fill_codes: tuple[int, ...] = Field(
        description="codes that say nothing: fill values, clouds; besides the file's own nodata"
    )
    classes: tuple[LandClass, ...] = Field(min_length=2, description="the legend")

    @property
    def unclear(self) -> bool:
        """True if the lenient reading differs from the strict one."""
        return any(entry.cropland == Membership.UNCLEAR for entry in self.classes)

    @model_validator(mode="after")
    def _codes(self) -> Self:
        codes = [entry.code for entry in self.classes]
        doubled = sorted({code for code in codes if codes.count(code) > 1})
        if doubled:
            raise ValueError(f"classes: code {doubled[0]} stands twice")
        both = sorted(set(codes) & set(self.fill_codes))
        if both:
            raise ValueError(f"code {both[0]} is a class and a fill code")
        if any(not 0 <= code <= MAX_CODE for code in self.fill_codes):
            raise ValueError(f"fill_codes: allowed are 0 to {MAX_CODE}")
        if not any(entry.cropland == Membership.IN for entry in self.classes):
            raise ValueError("classes: none is cropland (`cropland: in`)")
        return self


class Product(ProductRaster):
    """One existing land-cover or cropland map."""

    title: str = Field(description="short name on figures and tables")
    producer: str = Field(description="who made it")
    record: str = Field(description="address of the record that describes and offers it")
    access: str = Field(description="how a user gets the files")
    licence: str = Field(description="licence, as the record states it")
    citation: str = Field(description="how the product is cited")
    attribution: str = Field(description="the sentence that has to stand beside the data")
    declared_accuracy: str = Field(description="overall accuracy that its authors state")
    tiling: Tiling = Field(description="files as published")
    download: str | None = Field(
        None,
        description="direct open address of a file, {file} is its name; null: the user fetches it",
    )
    definition: Definition = Field(description="what the product calls cropland (Fig. 4)")
    layout_evidence: Evidence = Field(description="where grid, tiling and address are from")
    class_evidence: Evidence = Field(description="where codes and names are from")
    definition_evidence: Evidence = Field(description="where the definition is from")

    @model_validator(mode="after")
    def _address(self) -> Self:
        if self.download is not None and "{file}" not in self.download:
            raise ValueError("download: {file} is missing")
        return self

    def raster(self) -> dict[str, Any]:
        """The part that reading the files needs, as plain values."""
        return self.model_dump(mode="json", include=set(ProductRaster.model_fields))


class Catalogue(Section):
    """All of `config/products.yaml`."""

    own_definition: Definition = Field(description="what this project's map calls cropland")
    own_definition_evidence: Evidence = Field(description="where that definition is from")
    products: dict[str, Product] = Field(description="the existing maps, by short name")

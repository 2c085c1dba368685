"""Key `statistics`: which tables are read, how units join, and how levels are harmonised."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from cropbase.config import Section

Measure = Literal["ha", "kha", "10k_ha", "mu", "10k_mu", "km2"]

MISSING_TEXTS = ["", "NA", "N/A", "NaN", "nan", "-999", "-999.0", "-", "–", "—", "..", "...", "…"]


class LevelColumns(Section):
    """The columns of one level in a table that has a row a unit of the lowest level."""

    id: str = Field(description="column of the unit's id")
    name: str = Field(description="column of the unit's name")
    other_names: list[str] = Field(
        default=[], description="columns of further names (another language or script)"
    )


class LevelledUnits(Section):
    """Units from a table or boundary file in which every row names its units of all levels."""

    kind: Literal["levels"] = "levels"
    path: str = Field(description="CSV, or a vector file (shapefile, GeoPackage, GeoJSON)")
    levels: list[LevelColumns] = Field(
        min_length=1, description="columns of level 0 (nation), level 1, ... in this order"
    )
    encoding: str = Field("utf-8-sig", description="text encoding of a CSV")


class RowUnits(Section):
    """Units from a table with a row a unit, which may be the statistics file itself."""

    kind: Literal["rows"] = "rows"
    path: str = Field(description="CSV or vector file; equal rows of one unit count once")
    id: str = Field(description="column of the unit's id")
    name: str = Field(description="column of the unit's name")
    level: str = Field(description="column of the unit's level, 0 = nation")
    parent: str | None = Field(
        None,
        description="column of the parent's id; without it the parent is the unit of the level "
        "above whose id begins this unit's id, or the only unit of level 0",
    )
    other_names: list[str] = Field(default=[], description="columns of further names")
    encoding: str = Field("utf-8-sig", description="text encoding of a CSV")


Units = Annotated[LevelledUnits | RowUnits, Field(discriminator="kind")]


class BoundaryCheck(Section):
    """A vector file whose ids must be those of the lowest level; differences are listed."""

    path: str = Field(description="vector file of the boundaries, or a table of their attributes")
    id: str = Field(description="column that holds the unit's id")
    name: str | None = Field(None, description="column that holds its name, for the findings")


class _Source(Section):
    """What every source of figures has."""

    name: str = Field(description="name of the source, written beside every figure")
    paths: list[str] = Field(
        min_length=1, description="files; a text with * is a pattern, its files in order of name"
    )
    unit_of_measure: Measure = Field(
        description="unit of area of the figures; checked where the file names one itself"
    )
    variable: str = Field("harvested_area", description="what is measured")
    vocabulary: str | None = Field(
        None, description="vocabulary of config/crops.yaml in which crops are named; null = any"
    )
    crop_names: dict[str, str] = Field(
        default={}, description="names of this file's crops -> crop id, before the vocabulary"
    )
    left_out: list[str] = Field(
        default=[],
        description="items of this file that are no crops of the case (totals, parts); * allowed",
    )
    item_contains: str | None = Field(
        None, description="only items with this text are read; the others are listed"
    )
    level: int | None = Field(
        None, ge=0, description="level of its units, where names occur at more than one level"
    )
    first_year: int | None = Field(None, description="figures of earlier years are not used")
    last_year: int | None = Field(None, description="figures of later years are not used")
    missing_values: list[str] = Field(
        default=MISSING_TEXTS, description="texts that mean: no figure"
    )
    duplicates: Literal["refuse", "first", "sum", "mean"] = Field(
        "refuse",
        description="different figures of one unit, crop and year in this source: refuse, or take "
        "the first, their sum or their mean (listed)",
    )
    encoding: str = Field(
        "utf-8-sig", description="text encoding of CSV files (Chinese exports may be gb18030)"
    )

    @model_validator(mode="after")
    def _years_in_order(self) -> _Source:
        if None not in (self.first_year, self.last_year) and self.first_year > self.last_year:
            raise ValueError("first_year must not be after last_year")
        return self


class NbsSource(_Source):
    """Export of data.stats.gov.cn: preamble, a header of years (newest first), footer."""

    kind: Literal["nbs"] = "nbs"
    unit: str | None = Field(
        None, description="name of the unit of which the file tells; null = the file's name"
    )
    vocabulary: str | None = Field("chinese", description="vocabulary of the crop names")


class Place(Section):
    """Where a sheet holds the unit, the crop or the year: exactly one of the three."""

    column: str | None = Field(
        None, pattern="^[A-Z]{1,3}$", description="letter of the column that holds it, a row each"
    )
    rows: list[int] | None = Field(
        None,
        min_length=1,
        description="numbers (from 1) of the header rows that hold it, a column each; the texts of "
        "several rows are joined",
    )
    fixed: str | None = Field(None, description="the same for the whole sheet")
    fill: bool = Field(
        False, description="an empty cell takes the one before it (merged cells of a header)"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Place:
        if sum(value is not None for value in (self.column, self.rows, self.fixed)) != 1:
            raise ValueError("give exactly one of column, rows and fixed")
        return self


class WorkbookSource(_Source):
    """A sheet of an .xls or .xlsx workbook."""

    kind: Literal["workbook"] = "workbook"
    sheet: str | int = Field(1, description="name of the sheet, or its number from 1")
    unit: Place = Field(description="where the names of the units are")
    crop: Place = Field(description="where the names of the crops are")
    year: Place = Field(description="where the years are")
    value_columns: str = Field(
        pattern="^[A-Z]{1,3}(:[A-Z]{1,3})?$", description="columns of the figures: D, or C:T"
    )
    first_row: int = Field(2, ge=1, description="number of the first row with figures, from 1")
    last_row: int | None = Field(None, ge=1, description="last row with figures; null = to the end")
    measure_cell: str | None = Field(
        None,
        pattern="^[A-Z]{1,3}[0-9]+$",
        description="cell in which the sheet names its unit of measure",
    )
    vocabulary: str | None = Field("chinese", description="vocabulary of the crop names")


class FaostatSource(_Source):
    """CSV of FAOSTAT, domain QCL (Crops and livestock products)."""

    kind: Literal["faostat"] = "faostat"
    areas: dict[str, str] = Field(
        min_length=1, description="Area as FAOSTAT names it -> unit (id or name); others are unread"
    )
    element: str = Field("Area harvested", description="Element that is read")
    vocabulary: str | None = Field("faostat", description="vocabulary of the items")


class _TableSource(_Source):
    unit_column: str = Field(description="column of the unit's id or name")
    within_column: str | None = Field(
        None, description="column of the parent's id or name, where names of units are not unique"
    )
    level_column: str | None = Field(None, description="column of the unit's level")
    year_column: str | None = Field(None, description="column of the year")
    year: int | None = Field(None, description="the year, where no column holds it")
    measure_column: str | None = Field(
        None, description="column that names the unit of measure: checked against unit_of_measure"
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="separator of columns")

    @model_validator(mode="after")
    def _one_year(self) -> _TableSource:
        if (self.year is None) == (self.year_column is None):
            raise ValueError("give exactly one of year and year_column")
        return self


class WideSource(_TableSource):
    """CSV with a column a crop."""

    kind: Literal["wide"] = "wide"
    crop_columns: list[str] | None = Field(
        None, description="columns that hold crops; null = all that no other key names"
    )
    ignore_columns: list[str] = Field(
        default=[], description="columns that hold neither units nor crops"
    )


class LongSource(_TableSource):
    """CSV with a row a figure."""

    kind: Literal["long"] = "long"
    crop_column: str = Field(description="column of the crop")
    value_column: str = Field(description="column of the figure")
    flag_column: str | None = Field(None, description="column of the source's own flag")


Source = Annotated[
    NbsSource | WorkbookSource | FaostatSource | WideSource | LongSource,
    Field(discriminator="kind"),
]


class StatisticsSettings(Section):
    """Statistics of harvested area: reading, five-year means and harmonisation (Eq. 1-2)."""

    units: Units = Field(description="where the administrative units come from")
    boundaries: BoundaryCheck | None = Field(
        None, description="boundaries to which the units of the lowest level must join"
    )
    exclude_units: list[str] = Field(
        default=[], description="ids of units that the statistics do not cover, with all below"
    )
    aliases: dict[str, str] = Field(
        default={}, description="renamed or respelt units: name in the files -> id or name"
    )
    name_suffixes: list[str] = Field(
        default=[],
        description="endings that a name may lack or have (City, 市, 地区): such joins are listed",
    )
    unjoined: Literal["report", "refuse"] = Field(
        "report",
        description="figures of a unit that joins to none: listed and left out, or refused",
    )
    sources: list[Source] = Field(
        min_length=1, description="the files of figures, the preferred source first"
    )
    overlap: Literal["refuse", "first"] = Field(
        "refuse",
        description="different figures of one unit, crop and year in two sources: refuse, or take "
        "that of the source named first (listed)",
    )
    crops: Literal["all", "paper"] | list[str] = Field(
        "all", description="crops of the case: all found, the 16 of the paper, or a list of ids"
    )
    variable: str = Field("harvested_area", description="variable that is harmonised")
    nodes: list[int] = Field(min_length=1, description="node years")
    half_width_years: int = Field(
        2, ge=0, le=10, description="a node is the mean of the years at most this far from it"
    )
    extend: bool = Field(
        False, description="carry a unit's first and last node beyond the ends of its series"
    )
    use_levels: int | None = Field(
        None,
        ge=0,
        description="deepest level whose figures are placed; those below it are kept aside, to "
        "validate against; null = all",
    )
    missing: Literal["unknown", "zero"] = Field(
        "unknown",
        description="a unit without a figure where a sibling has one: unknown (it shares the "
        "residual of its parent), or zero (the crop is not grown there)",
    )
    direction: Literal["top_down", "bottom_up"] = Field(
        "top_down",
        description="top_down: children follow their parent; bottom_up: a parent whose children "
        "all reported becomes their sum first",
    )
    plain_eq2: bool = Field(
        False, description="Eq. 2 as printed: reporting children are scaled up to their parent"
    )
    unknown_top: Literal["refuse", "known_part"] = Field(
        "refuse",
        description="a crop without a figure of the nation: refuse, or place what is known and "
        "leave it off the other units",
    )
    rounding_tolerance: NonNegativeFloat = Field(
        1e-9,
        le=0.01,
        description="a residual smaller than this share of its parent is rounding: set to zero",
    )

    @model_validator(mode="after")
    def _consistent(self) -> StatisticsSettings:
        if sorted(set(self.nodes)) != self.nodes:
            raise ValueError("nodes must rise, each year once")
        names = [source.name for source in self.sources]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two sources have the name {doubled[0]!r}")
        if not any(source.variable == self.variable for source in self.sources):
            raise ValueError(f"no source has the variable {self.variable!r}")
        return self

"""The tables of the comparison on one page of HTML without any reference outside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from cropbase.atomic import write_text
from cropbase.pages import Cell, number, page, paragraph, table
from cropbase.tables import read_csv
from croplayer.report.areas import scenario_text
from croplayer.settings.products import GROUPS, Product

_DEFINITIONS = {
    "ours": "this map's",
    "own_strict": "the product's own",
    "own_lenient": "the product's own, with what it is unclear about",
}


def write_comparison_page(
    *,
    folder: Path,
    products: dict[str, Product],
    accuracy_csv: Path | None,
    groups_csv: Path | None,
    output: Path,
    title: str,
    note: str,
) -> None:
    """Write what a person wants to read of the comparison.

    Parameters
    ----------
    folder : holds the tables of `summarise_comparison`.
    accuracy_csv, groups_csv : tables of `assess_reference`; None without a reference sample.
    """
    tables = {
        name: read_csv(folder / f"{name}.csv")
        for name in ("pixels", "areas", "definitions", "findings", "classes")
    }
    parts = [
        *_findings(tables["findings"], products),
        *_pixels(tables["pixels"]),
        *_areas(tables["areas"]),
    ]
    if accuracy_csv is not None:
        parts += _accuracy(read_csv(accuracy_csv))
    groups = None if groups_csv is None else read_csv(groups_csv)
    parts += _definitions(tables["definitions"], groups)
    parts += _classes(tables["classes"], products)
    parts += _sources(products)
    write_text(output, page(title, *parts, note=note))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table whose last `numbers` columns are numbers."""
    first = len(head) - numbers

    def cells(values: Sequence[str]) -> list[str | Cell]:
        return [number(text) if k >= first else text for k, text in enumerate(values)]

    return table(cells(head), (cells(row) for row in rows))


def _text(value: Any, form: str = ",.0f", unit: str = "") -> str:
    """A number as people read it, or a dash where there is none."""
    return "-" if value is None or pd.isna(value) else f"{value:{form}}{unit}"


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _findings(found: pd.DataFrame, products: dict[str, Product]) -> list[str]:
    if found.empty:
        return [_heading("What to know first"), paragraph("Nothing odd was found in the products.")]
    rows = [
        (products[row.product].title, row.finding, row.consequence) for row in found.itertuples()
    ]
    return [_heading("What to know first"), _table(("Product", "Finding", "So"), rows)]


def _pixels(found: pd.DataFrame) -> list[str]:
    rows = [
        (
            row.title,
            row.reading,
            _text(row.compared_ha),
            _text(row.compared_share, ".1%"),
            *(_text(getattr(row, name), ".3f") for name in ("iou", "overall_accuracy")),
            *(_text(getattr(row, name), ".3f") for name in ("precision", "recall")),
        )
        for row in found.itertuples()
    ]
    head = (
        "Product",
        "Reading",
        "Compared, ha",
        "of the province",
        "IoU",
        "Same",
        "Of its cropland ours",
        "Of our cropland its",
    )
    return [
        _heading("Pixels: agreement with the final map"),
        paragraph(
            "Agreement of two maps, on the final map's pixels where both say something; neither is "
            "the truth. Strict: unclear classes are not cropland; lenient: they are; undisputed: "
            "they are left out."
        ),
        _table(head, rows, numbers=6),
    ]


def _areas(found: pd.DataFrame) -> list[str]:
    rows = []
    for row in found.itertuples():
        within = "" if pd.isna(row.within_tolerance) else "yes" if row.within_tolerance else "no"
        rows.append(
            (
                scenario_text(row.title).replace("\n", " "),
                row.kind,
                row.reading,
                _text(row.known_share, ".1%"),
                _text(row.cropland_ha),
                _text(row.percent_of_official, ".1f", " %"),
                within,
            )
        )
    tolerance = _text(found["tolerance_percent"].iloc[0], "g")
    official = _text(found["official_area_ha"].iloc[0])
    return [
        _heading("Province: area against the official figure"),
        paragraph(f"Official area: {official} ha. Hectares on the ellipsoid."),
        _table(
            (
                "Map",
                "Kind",
                "Reading",
                "Knows of the province",
                "Cropland, ha",
                "Of official area",
                f"Within {tolerance} %",
            ),
            rows,
            numbers=4,
        ),
    ]


def _accuracy(found: pd.DataFrame) -> list[str]:
    rows = [
        (
            row.title,
            row.reading,
            _DEFINITIONS[row.definition],
            *(_share(row, name) for name in ("overall", "users", "producers", "iou")),
            f"{_text(row.reference_area_ha)} ± {_text(row.reference_area_ha_se)}",
            f"{row.known_points} of {row.points}",
        )
        for row in found.itertuples()
    ]
    return [
        _heading("Reference sample: design-based accuracy"),
        paragraph(
            "Stratified estimators with standard errors (Olofsson et al., 2014; Stehman, 2014). "
            "'Reference cropland' is the true area that the sample estimates, by the definition "
            "named, in the whole of the strata."
        ),
        _table(
            (
                "Map",
                "Reading",
                "Definition of cropland",
                "Overall",
                "User's",
                "Producer's",
                "IoU",
                "Reference cropland, ha",
                "Points",
            ),
            rows,
            numbers=6,
        ),
    ]


def _share(row: Any, name: str) -> str:
    value, error = getattr(row, name), getattr(row, f"{name}_se")
    return "-" if pd.isna(value) else f"{value:.3f} ± {_text(error, '.3f')}"


def _definitions(found: pd.DataFrame, groups: pd.DataFrame | None) -> list[str]:
    head = ["Map", *(group.replace("_", " ") for group in GROUPS), "Strict, ha", "Lenient, ha"]
    keys = [*GROUPS, "strict_ha", "lenient_ha"]
    if "definition_ha" in found.columns:
        head += ["Definition adds, ha", "with the unclear, ha"]
        keys += ["definition_ha", "definition_ha_unclear"]
    rows = [
        (row["title"], *(row[k] if k in GROUPS else _text(row.get(k)) for k in keys))
        for _, row in found.iterrows()
    ]
    parts = [
        _heading("Definitions of cropland"),
        paragraph(
            "The groups of Fig. 4, and what they do to the area: a product that holds orchards "
            "ought to be larger than this map."
        ),
        _table(head, rows, numbers=len(keys) - len(GROUPS)),
    ]
    if groups is not None and not groups.empty:
        rows = [
            (row.group.replace("_", " "), f"{_text(row.area_ha)} ± {_text(row.area_ha_se)}")
            for row in groups.itertuples()
        ]
        parts += [
            paragraph("Areas of the groups by the reference sample:"),
            _table(("Group", "Area, ha (± standard error)"), rows, numbers=1),
        ]
    return parts


def _classes(found: pd.DataFrame, products: dict[str, Product]) -> list[str]:
    """What each product has where the final map has cropland: the five commonest classes."""
    parts = [_heading("What the products have under this map's cropland")]
    rows = []
    for name, product in products.items():
        mine = found[found["product"] == name]
        total = mine["px_crop"].sum()
        for row in mine.nlargest(5, "px_crop").itertuples():
            if total and row.px_crop:
                label = "outside the legend" if pd.isna(row.name) else row.name
                share = _text(row.px_crop / total, ".1%")
                rows.append((product.title, f"{row.code} {label}", share))
    return [*parts, _table(("Product", "Class", "Of our cropland"), rows, numbers=1)]


def _sources(products: dict[str, Product]) -> list[str]:
    rows = [
        (
            f"{entry.title}, {entry.year}",
            entry.producer,
            f"{entry.grid.pixel_size:.3g} {entry.grid.pixel_unit}",
            entry.declared_accuracy,
            "yes" if entry.class_evidence.verified else "no",
            entry.licence,
            entry.attribution,
        )
        for entry in products.values()
    ]
    head = (
        "Product",
        "Producer",
        "Pixel",
        "Accuracy its authors state",
        "Legend verified",
        "Licence",
        "Attribution",
    )
    return [_heading("The products"), _table(head, rows)]

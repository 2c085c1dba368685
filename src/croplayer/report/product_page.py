"""The tables of the comparison on one page of HTML without any reference outside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from cropbase.atomic import write_text
from cropbase.tables import read_csv
from croplayer.report.areas import scenario_text
from croplayer.report.tables import PAGE_STYLE
from croplayer.settings.products import GROUPS, Product

_WIDE = """body { max-width: 80rem; } .number { text-align: right; white-space: nowrap; }
th.number { white-space: normal; }
"""
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
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{PAGE_STYLE}{_WIDE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="note">{escape(note)}</p>' if note else "",
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
    write_text(output, "\n".join([*parts, "</body></html>"]) + "\n")


def html_table(head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: int = 0) -> str:
    """An HTML table; the last `numbers` columns are aligned to the right. Texts are escaped."""
    first = len(head) - numbers

    def line(values: Sequence[Any], tag: str) -> str:
        kinds = [""] * first + [' class="number"'] * numbers
        cells = [
            f"<{tag}{kind}>{escape(str(value))}</{tag}>"
            for kind, value in zip(kinds, values, strict=True)
        ]
        return f"<tr>{''.join(cells)}</tr>"

    header = line(head, "th")
    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{header}</thead><tbody>{body}</tbody></table>"


def number(value: Any, form: str = ",.0f", unit: str = "") -> str:
    """A number as people read it, or a dash where there is none."""
    return "-" if value is None or pd.isna(value) else f"{value:{form}}{unit}"


def _findings(table: pd.DataFrame, products: dict[str, Product]) -> list[str]:
    if table.empty:
        return ["<h2>What to know first</h2><p>Nothing odd was found in the products.</p>"]
    rows = [
        (products[row.product].title, row.finding, row.consequence) for row in table.itertuples()
    ]
    return ["<h2>What to know first</h2>", html_table(("Product", "Finding", "So"), rows)]


def _pixels(table: pd.DataFrame) -> list[str]:
    rows = [
        (
            row.title,
            row.reading,
            number(row.compared_ha),
            number(row.compared_share, ".1%"),
            *(number(getattr(row, name), ".3f") for name in ("iou", "overall_accuracy")),
            *(number(getattr(row, name), ".3f") for name in ("precision", "recall")),
        )
        for row in table.itertuples()
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
        "<h2>Pixels: agreement with the final map</h2>",
        "<p>Agreement of two maps, on the final map's pixels where both say something; neither is "
        "the truth. Strict: unclear classes are not cropland; lenient: they are; undisputed: they "
        "are left out.</p>",
        html_table(head, rows, numbers=6),
    ]


def _areas(table: pd.DataFrame) -> list[str]:
    rows = []
    for row in table.itertuples():
        within = "" if pd.isna(row.within_tolerance) else "yes" if row.within_tolerance else "no"
        rows.append(
            (
                scenario_text(row.title).replace("\n", " "),
                row.kind,
                row.reading,
                number(row.known_share, ".1%"),
                number(row.cropland_ha),
                number(row.percent_of_official, ".1f", " %"),
                within,
            )
        )
    tolerance = number(table["tolerance_percent"].iloc[0], "g")
    official = number(table["official_area_ha"].iloc[0])
    return [
        "<h2>Province: area against the official figure</h2>",
        f"<p>Official area: {official} ha. Hectares on the ellipsoid.</p>",
        html_table(
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


def _accuracy(table: pd.DataFrame) -> list[str]:
    rows = [
        (
            row.title,
            row.reading,
            _DEFINITIONS[row.definition],
            *(_share(row, name) for name in ("overall", "users", "producers", "iou")),
            f"{number(row.reference_area_ha)} ± {number(row.reference_area_ha_se)}",
            f"{row.known_points} of {row.points}",
        )
        for row in table.itertuples()
    ]
    return [
        "<h2>Reference sample: design-based accuracy</h2>",
        "<p>Stratified estimators with standard errors (Olofsson et al., 2014; Stehman, 2014). "
        "<i>Reference cropland</i> is the true area that the sample estimates, by the definition "
        "named, in the whole of the strata.</p>",
        html_table(
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
    return "-" if pd.isna(value) else f"{value:.3f} ± {number(error, '.3f')}"


def _definitions(table: pd.DataFrame, groups: pd.DataFrame | None) -> list[str]:
    head = ["Map", *(group.replace("_", " ") for group in GROUPS), "Strict, ha", "Lenient, ha"]
    keys = [*GROUPS, "strict_ha", "lenient_ha"]
    if "definition_ha" in table.columns:
        head += ["Definition adds, ha", "with the unclear, ha"]
        keys += ["definition_ha", "definition_ha_unclear"]
    rows = [
        (row["title"], *(row[k] if k in GROUPS else number(row.get(k)) for k in keys))
        for _, row in table.iterrows()
    ]
    parts = [
        "<h2>Definitions of cropland</h2>",
        "<p>The groups of Fig. 4, and what they do to the area: a product that holds orchards "
        "ought to be larger than this map.</p>",
        html_table(head, rows, numbers=len(keys) - len(GROUPS)),
    ]
    if groups is not None and not groups.empty:
        rows = [
            (row.group.replace("_", " "), f"{number(row.area_ha)} ± {number(row.area_ha_se)}")
            for row in groups.itertuples()
        ]
        parts += [
            "<p>Areas of the groups by the reference sample:</p>",
            html_table(("Group", "Area, ha (± standard error)"), rows, numbers=1),
        ]
    return parts


def _classes(table: pd.DataFrame, products: dict[str, Product]) -> list[str]:
    """What each product has where the final map has cropland: the five commonest classes."""
    parts = ["<h2>What the products have under this map's cropland</h2>"]
    rows = []
    for name, product in products.items():
        mine = table[table["product"] == name]
        total = mine["px_crop"].sum()
        for row in mine.nlargest(5, "px_crop").itertuples():
            if total and row.px_crop:
                label = "outside the legend" if pd.isna(row.name) else row.name
                share = number(row.px_crop / total, ".1%")
                rows.append((product.title, f"{row.code} {label}", share))
    return [*parts, html_table(("Product", "Class", "Of our cropland"), rows, numbers=1)]


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
    return ["<h2>The products</h2>", html_table(head, rows)]

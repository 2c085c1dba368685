"""What a user should know before believing the comparison with a product."""

from __future__ import annotations

import logging

import pandas as pd

from croplayer.settings.comparison import ComparisonSettings
from croplayer.settings.products import Product

log = logging.getLogger(__name__)

COLUMNS = ["product", "kind", "finding", "consequence"]
AGREEING = 0.5
"""Share of the telling blocks that must agree on a direction before a shift is told."""
LEAST_TELLING = 3


def gather_findings(
    table: pd.DataFrame,
    codes: pd.DataFrame,
    files: dict[str, dict[str, set[str]]],
    products: dict[str, Product],
    settings: ComparisonSettings,
) -> pd.DataFrame:
    """Findings of every product, a sentence each with its consequence; each is logged too.

    Parameters
    ----------
    table : block rows of all products. codes : pixels of each code (product, code, name, px_*).
    files : product -> oddity of its files -> names of the files.

    Returns product, kind (coverage, year, codes, files, shift, legend), finding, consequence.
    """
    rows = []
    for name, product in products.items():
        mine = table[table["product"] == name]
        rows += _coverage(name, mine, settings)
        rows += _year(name, product, settings)
        rows += _strange_codes(name, codes[codes["product"] == name], mine)
        rows += [
            (name, "files", f"{text} ({_some(sorted(names))})", "look at the files")
            for text, names in sorted(files.get(name, {}).items())
        ]
        rows += _shift(name, mine)
        rows += _evidence(name, product)
    for row in rows:
        log.warning("%s: %s; %s", row[0], row[2], row[3])
    return pd.DataFrame(rows, columns=COLUMNS)


def _coverage(name: str, mine: pd.DataFrame, settings: ComparisonSettings) -> list[tuple]:
    inside = mine["inside_ha"].sum()
    share = mine["product_known_ha"].sum() / inside
    if share >= 1 - 1e-6:
        return []
    text = f"covers {share:.1%} of the province ({inside:.0f} ha)"
    if share < settings.least_coverage:
        told = "pixels and blocks speak of that part alone; its area is not put beside the official"
    else:
        told = "pixels and blocks speak of that part alone"
    return [(name, "coverage", text, told)]


def _year(name: str, product: Product, settings: ComparisonSettings) -> list[tuple]:
    if settings.map_year is None or settings.map_year == product.year:
        return []
    text = f"is of {product.year}, the map of {settings.map_year}"
    return [(name, "year", text, "what changed in between counts as disagreement")]


def _strange_codes(name: str, codes: pd.DataFrame, mine: pd.DataFrame) -> list[tuple]:
    strange = codes[codes["name"].isna() & (codes["px_crop"] + codes["px_other"] > 0)]
    if strange.empty:
        return []
    listed = _some([str(int(code)) for code in strange["code"]])
    area = mine["product_strange_ha"].sum()
    text = f"class codes outside its legend: {listed} on {area:.2f} ha"
    return [(name, "codes", text, "taken as unknown; complete the legend in the catalogue")]


def _shift(name: str, mine: pd.DataFrame) -> list[tuple]:
    telling = mine.dropna(subset=["shift_down", "shift_right"])
    if len(telling) < LEAST_TELLING:
        return []
    counts = telling.groupby(["shift_down", "shift_right"]).size()
    (down, right), most = counts.idxmax(), counts.max()
    if (down, right) == (0.0, 0.0) or most < AGREEING * len(telling):
        return []
    words = [
        *(["southward"] if down > 0 else ["northward"] if down < 0 else []),
        *(["eastward"] if right > 0 else ["westward"] if right < 0 else []),
    ]
    text = (
        f"in {most} of {len(telling)} blocks it agrees better when moved one of its pixels "
        f"{' and '.join(words)}"
    )
    return [(name, "shift", text, "its grid, or the map's, may be shifted; check the georeference")]


def _evidence(name: str, product: Product) -> list[tuple]:
    evidence = product.class_evidence
    if evidence.verified:
        return []
    text = f"class codes are not verified: {evidence.reason}"
    return [(name, "legend", text, "check them against the record")]


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

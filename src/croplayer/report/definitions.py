"""Existing products: what they are (Table 3), and what each calls cropland (Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cropbase.figures import save_figure
from cropbase.tables import write_csv
from croplayer.comparison.catalogue import read_catalogue
from croplayer.report.style import BLUE, INK, legend, new_figure
from croplayer.settings.products import GROUPS, Catalogue, Membership

GROUP_TEXTS = {
    "annual_herbaceous": "annual herbaceous\n(paddy, irrigated, rainfed)",
    "greenhouse": "greenhouse",
    "perennial_woody": "perennial woody\n(orchards, tea, rubber)",
    "transitional": "transitional\n(fallow, managed grass)",
}
_MARKS = {
    Membership.IN: (BLUE, "in", "cropland", "white"),
    Membership.UNCLEAR: ("#BFD9EA", "?", "its definition does not say", INK),
    Membership.OUT: ("#FFFFFF", "out", "not cropland", INK),
}


def plot_definitions(
    *,
    catalogue: Path,
    compared: Sequence[str],
    output: Path,
    table_csv: Path,
    title: str = "",
    mark: str = "compared here",
) -> None:
    """The crosswalk of definitions (PNG, Fig. 4) and the products' facts (CSV, Table 3).

    Parameters
    ----------
    catalogue : `config/products.yaml`. compared : names of the products that the province is
        compared with; their rows have `mark`, which says where stand-ins are compared.

    A definition that could not be checked against its source has an asterisk.
    """
    known = read_catalogue(catalogue)
    write_csv(product_facts(known, compared), table_csv)
    rows = {"this map": (known.own_definition, known.own_definition_evidence.verified)}
    for name, entry in known.products.items():
        text = f"{entry.title}\n({mark})" if name in compared else entry.title
        rows[text] = (entry.definition, entry.definition_evidence.verified)
    figure = new_figure(8.8, 1.7 + 0.36 * len(rows), title=title)
    axes = figure.subplots()
    for r, (definition, _) in enumerate(rows.values()):
        for c, group in enumerate(GROUPS):
            _cell(axes, r, c, getattr(definition, group))
    axes.set_xlim(0, len(GROUPS))
    axes.set_ylim(len(rows), 0)
    axes.axhline(1, color=INK, linewidth=1.5)
    axes.xaxis.tick_top()
    axes.set_xticks([c + 0.5 for c in range(len(GROUPS))], list(GROUP_TEXTS.values()), fontsize=8)
    names = [text if verified else f"{text} *" for text, (_, verified) in rows.items()]
    axes.set_yticks([r + 0.5 for r in range(len(rows))], names, fontsize=8)
    axes.tick_params(length=0)
    legend(axes, {text: colour for colour, _, text, _ in _MARKS.values()}, columns=3)
    if not all(verified for _, verified in rows.values()):
        axes.set_xlabel("* could not be checked against its producer's documents", fontsize=8)
    save_figure(figure, output)


def product_facts(catalogue: Catalogue, compared: Sequence[str]) -> pd.DataFrame:
    """A row a product of the catalogue: who, when, pixel, cropland classes, stated accuracy."""
    rows = [
        {
            "product": entry.title,
            "producer": entry.producer,
            "year": entry.year,
            "pixel_size": entry.grid.pixel_size,
            "pixel_unit": entry.grid.pixel_unit,
            "cropland_classes": _classes(entry.classes, Membership.IN),
            "unclear_classes": _classes(entry.classes, Membership.UNCLEAR),
            "stated_accuracy": entry.declared_accuracy,
            "compared_here": name in compared,
            "record": entry.record,
        }
        for name, entry in catalogue.products.items()
    ]
    return pd.DataFrame(rows)


def _classes(classes, membership: Membership) -> str:
    return "; ".join(f"{c.code} {c.name}" for c in classes if c.cropland == membership)


def _cell(axes: Axes, row: int, column: int, membership: Membership) -> None:
    colour, mark, _, ink = _MARKS[membership]
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor=INK, linewidth=0.5))
    axes.text(column + 0.5, row + 0.52, mark, ha="center", va="center", fontsize=8, color=ink)

"""Cropland areas of the scenarios against the official area (Fig. 12)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cropbase.figures import save_figure
from croplayer.report.results import read_result
from croplayer.report.style import BLUE, GREEN, INK, ORANGE, RED, SKY, fonts, new_figure, printable

MOST_COUNTIES = 30


def plot_areas(*, province_json: Path, output: Path, title: str = "", note: str = "") -> None:
    """Bars of cropland area a scenario for the province, and for each county (PNG), hectares.

    Parameters
    ----------
    province_json : written by `croplayer.validation.province.validate_province`.

    The official area and its tolerance are a line and a band; percentages are of the official area.
    Beyond thirty counties the thirty with the most cropland are drawn, and the title says so.
    """
    result = read_result(province_json, level="province")
    scenarios: dict[str, Any] = result["scenarios"]
    counties = _largest(result["counties"], list(scenarios)[-1])
    figure = new_figure(7.0 + min(0.55 * len(counties), 9.0), 4.6, title=title, note=note)
    left, right = figure.subplots(
        1, 2, width_ratios=[4.0, max(0.55 * len(counties), 2.5)], squeeze=True
    )
    official = result["official_area_ha"]
    values = [scenario["cropland_ha"] / 1000 for scenario in scenarios.values()]
    colours = _colours(scenarios)
    bars = left.bar(range(len(values)), values, color=colours, edgecolor=INK, linewidth=0.6)
    left.set_xticks(range(len(values)), [scenario_text(name) for name in scenarios], fontsize=8)
    left.set_ylabel("cropland (thousand hectares)", fontsize=9)
    for bar, scenario in zip(bars, scenarios.values(), strict=True):
        ratio = scenario["ratio"]
        text = "" if ratio is None else f"{ratio:.1%}"
        left.annotate(
            text,
            (bar.get_x() + bar.get_width() / 2, 0),
            ha="center",
            va="bottom",
            fontsize=8,
            xytext=(0, 6),
            textcoords="offset points",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    if official is not None:
        tolerance = result["area_tolerance"]
        left.axhspan(
            official * (1 - tolerance) / 1000,
            official * (1 + tolerance) / 1000,
            color=RED,
            alpha=0.15,
            linewidth=0,
            zorder=0,
            label=f"official area ± {tolerance:.0%}",
        )
        left.axhline(official / 1000, color=RED, linewidth=1.4, label="official area")
        left.legend(
            fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2
        )
    top = max([*values, (official or 0) * 1.1 / 1000, 1e-9])
    left.set_ylim(0, top * 1.12)
    left.set_title(
        "Province" if official is not None else "Province (no official area is known)", fontsize=10
    )
    _county_bars(right, counties, scenarios, colours, len(result["counties"]))
    save_figure(figure, output)


def scenario_text(name: str) -> str:
    """A scenario's name as people read it."""
    words = {"merge_both": "merge both", "integrated": "selected\nintegration"}
    return words.get(name, name.replace("only_", "only\n"))


def _county_bars(axes, counties, scenarios, colours, total: int) -> None:
    width = 0.8 / max(len(scenarios), 1)
    places = np.arange(len(counties))
    for k, (name, colour) in enumerate(zip(scenarios, colours, strict=True)):
        axes.bar(
            places + (k - (len(scenarios) - 1) / 2) * width,
            [county["scenarios"][name]["cropland_ha"] / 1000 for county in counties],
            width,
            color=colour,
            edgecolor=INK,
            linewidth=0.4,
            label=scenario_text(name).replace("\n", " "),
        )
    names = [printable(c["county"], c["county_id"]) or "in no county" for c in counties]
    axes.set_xticks(
        places,
        names,
        fontsize=8,
        rotation=60 if len(counties) > 6 else 0,
        ha="right" if len(counties) > 6 else "center",
        fontfamily=list(fonts()),
    )
    axes.set_ylabel("cropland (thousand hectares)", fontsize=9)
    some = f" (the {len(counties)} largest of {total})" if total > len(counties) else ""
    axes.set_title(f"Counties{some}", fontsize=10)
    low = -0.4 if len(counties) > 6 else -0.12
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, low), ncols=2)


def _largest(counties: list[dict[str, Any]], scenario: str) -> list[dict[str, Any]]:
    """At most thirty counties, those with the most cropland, in the file's order."""
    order = sorted(
        range(len(counties)), key=lambda k: -counties[k]["scenarios"][scenario]["cropland_ha"]
    )
    return [counties[k] for k in sorted(order[:MOST_COUNTIES])]


def _colours(scenarios: dict[str, Any]) -> list[str]:
    """The integration always green, the merge always light blue, sources in order."""
    fixed = {"merge_both": SKY, "integrated": GREEN}
    free = iter((BLUE, ORANGE))
    return [fixed.get(name) or next(free) for name in scenarios]

"""The three levels of validation over the rounds of active learning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cropbase.atomic import atomic_path
from cropbase.figures import save_figure
from croplayer.report.results import pick, read_json
from croplayer.report.style import BLUE, INK, ORANGE, RED, new_figure

LEVELS = {
    "pixel": "IoU on held-out extents",
    "block": "semantic correctness of blocks",
    "province": "agreement with the official area",
}
_COLUMNS = (
    *("round", "level", "source", "value", "low_95", "high_95"),
    *("threshold", "met", "decision", "rule"),
)


def plot_rounds(
    *, records: Sequence[Path], output: Path, table: Path, title: str = "", note: str = ""
) -> pd.DataFrame:
    """Draw each level's measure of each source against the round (PNG), and write the numbers.

    Parameters
    ----------
    records : `decision.json` of every round, in any order.
    table : CSV, a row a round, level and source: the value, its 95 % interval, the threshold of
        that round, whether it was met, and the decision with its rule.

    A value that was not measured is left empty and not drawn. Thresholds are drawn as they were in
    each round. Returns the table.
    """
    rounds = sorted((read_json(path) for path in records), key=lambda record: record["round"])
    numbers = pd.DataFrame(
        [row for record in rounds for row in _rows(record)], columns=list(_COLUMNS)
    )
    with atomic_path(table) as path:
        numbers.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    figure = new_figure(10.5, 3.9, title=title, note=note)
    for axes, (level, text) in zip(figure.subplots(1, 3), LEVELS.items(), strict=True):
        _draw(axes, numbers[numbers["level"] == level], text)
    save_figure(figure, output)
    return numbers


def _rows(record: dict[str, Any]) -> list[tuple]:
    rows = []
    for level in LEVELS:
        found = pick(record, "levels", level) or {}
        for source, value in (found.get("measured") or {}).items():
            low, high = pick(found, "interval_95", source) or (None, None)
            rows.append(
                (
                    *(record["round"], level, source, value, low, high, found.get("threshold")),
                    *(found.get("status") == "met", record["decision"], record["rule"]),
                )
            )
    return rows


def _draw(axes: Axes, numbers: pd.DataFrame, text: str) -> None:
    axes.set_title(text, fontsize=10)
    axes.set_xlabel("round", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylim(0, 1.02)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    rounds = sorted(numbers["round"].unique())
    if rounds:
        axes.set_xlim(rounds[0] - 0.6, rounds[-1] + 0.6)
    shown = numbers[numbers["value"].notna()]
    if shown.empty:
        axes.text(0.5, 0.5, "not assessed", transform=axes.transAxes, ha="center", color=INK)
        return
    sources = list(dict.fromkeys(shown["source"]))
    for k, source in enumerate(sources):
        mine = shown[shown["source"] == source]
        # Beside one another, so that the bars of two sources can be told apart.
        place = mine["round"] + (k - (len(sources) - 1) / 2) * 0.12
        colour = (BLUE, ORANGE)[k % 2]
        value = mine["value"].astype(float)
        axes.plot(place, value, color=colour, marker="os"[k % 2], markersize=5, label=source)
        axes.vlines(
            place, mine["low_95"].astype(float), mine["high_95"].astype(float), colors=colour
        )
    limits = numbers.drop_duplicates("round").sort_values("round")
    axes.hlines(
        limits["threshold"].astype(float),
        limits["round"] - 0.5,
        limits["round"] + 0.5,
        colors=RED,
        linestyles="dashed",
        linewidth=1.2,
        label="threshold",
    )
    axes.legend(fontsize=8, frameon=False, loc="lower right")

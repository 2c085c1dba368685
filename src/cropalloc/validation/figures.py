"""Figures of the validation: density of allocated against reported areas, and contestants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from cropalloc.report.style import CONTESTANTS, INK, crop_title, hectares, new_figure
from cropbase.errors import InputError
from cropbase.figures import save_figure
from cropbase.tables import read_table

_LOWEST_R2 = -1.0


def plot_validation(
    *,
    pairs: Path,
    metrics: Path,
    output: Path,
    title: str = "",
    note: str = "",
    max_panels: int = 16,
    bins: int = 32,
) -> None:
    """Density of units by allocated (x) and reported (y) area on logarithmic axes, as Fig. 5 (PNG).

    Parameters
    ----------
    pairs, metrics : files of `validate_allocation`. Crops come in descending order of reported
        area, at most `max_panels`; the measures are those of all units, the squares show those
        where both areas are above zero (the panel says how many are not).
    bins : squares along an axis.

    Raises InputError for files that cannot be read.
    """
    table, found = read_table(pairs), read_metrics(metrics)
    table = table[table["used"]]
    sizes = table.groupby("crop")["statistics_ha"].sum().sort_values(ascending=False, kind="stable")
    crops = [crop for crop in sizes.index if "r" in found["crops"].get(crop, {})][:max_panels]
    if not crops:
        raise InputError(f"{metrics} has no crop with enough units to draw")
    columns = min(4, len(crops))
    rows = -(-len(crops) // columns)
    figure = new_figure(0.5 + 2.55 * columns, 0.7 + 2.45 * rows, title=title, note=note)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    counts = [_density(table[table["crop"] == crop], bins) for crop in crops]
    most = max((int(count.max()) for count, *_ in counts if count.size), default=1)
    norm = LogNorm(1, max(most, 2))
    mesh = None
    for axes, crop, (count, edges, hidden) in zip(panels, crops, counts, strict=False):
        mesh = _density_panel(axes, count, edges, norm) or mesh
        _measures_text(axes, found["crops"][crop], hidden)
        axes.set_title(f"{crop_title(crop)}, {hectares(sizes[crop])}", fontsize=8.5)
    for axes in panels[len(crops) :]:
        axes.set_visible(False)
    for k, axes in enumerate(panels[: len(crops)]):
        if k % columns == 0:
            axes.set_ylabel("statistics, ha", fontsize=8)
        if k + columns >= len(crops):
            axes.set_xlabel("allocated, ha", fontsize=8)
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=list(panels[: len(crops)]), shrink=0.5, pad=0.01, aspect=30)
        bar.set_label("units in a square", fontsize=8)
        bar.ax.tick_params(labelsize=7, which="both")
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.yaxis.set_minor_locator(NullLocator())
    save_figure(figure, output)


def _density(rows: pd.DataFrame, bins: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Counts (bins, bins) of log10 areas, the edges of both axes, and the units not shown."""
    both = rows[(rows["allocated_ha"] > 0) & (rows["statistics_ha"] > 0)]
    if both.empty:
        return np.zeros((0, 0)), np.array([0.0, 1.0]), len(rows)
    x, y = np.log10(both["allocated_ha"]), np.log10(both["statistics_ha"])
    # Statistics below a square metre are noise of shares, and would stretch the axes of all.
    low = max(np.floor(min(x.min(), y.min())), -2.0)
    high = max(np.ceil(max(x.max(), y.max())), low + 1)
    edges = np.linspace(low, high, bins + 1)
    count, _, _ = np.histogram2d(x, y, bins=[edges, edges])
    return count, edges, len(rows) - int(count.sum())


def _density_panel(axes: Axes, count: np.ndarray, edges: np.ndarray, norm: LogNorm) -> Any:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(10 ** edges[0], 10 ** edges[-1])
    axes.set_ylim(10 ** edges[0], 10 ** edges[-1])
    axes.set_box_aspect(1)
    axes.plot(
        [10 ** edges[0], 10 ** edges[-1]],
        [10 ** edges[0], 10 ** edges[-1]],
        color=INK,
        linewidth=0.8,
        linestyle="--",
        zorder=1,
    )
    axes.tick_params(labelsize=6.5, length=2, which="major")
    axes.minorticks_off()
    if not count.size:
        return None
    shown = np.ma.masked_equal(count.T, 0)
    return axes.pcolormesh(10**edges, 10**edges, shown, cmap="viridis", norm=norm, zorder=2)


def _measures_text(axes: Axes, values: dict[str, Any], hidden: int) -> None:
    lines = [
        f"N = {values['n']}",
        f"r = {_text(values['r'])}",
        f"R² = {_text(values['r2'])}",
        f"r² = {_text(values['r_squared'])}",
        f"RMSE = {hectares(values['rmse_ha'])}",
    ]
    axes.text(
        0.04,
        0.97,
        "\n".join(lines),
        transform=axes.transAxes,
        fontsize=6,
        va="top",
        zorder=5,
        linespacing=1.25,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
    )
    if hidden:
        axes.text(
            0.97,
            0.03,
            f"{hidden} with a zero",
            transform=axes.transAxes,
            fontsize=6,
            ha="right",
            va="bottom",
            color="#666666",
            zorder=5,
        )


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def plot_comparison(
    *, metrics: Sequence[Path], output: Path, title: str = "", note: str = "", max_crops: int = 30
) -> None:
    """r, R2 and RMSE a crop of several contestants side by side, as Fig. 7 (PNG).

    Parameters
    ----------
    metrics : files of `validate_allocation` and `compare_product`, the judged maps first; a crop
        is drawn if at least one has it, in descending order of reported area. An R2 below -1 is
        drawn at -1 with an arrow.

    Raises InputError for files that cannot be read or two of one name.
    """
    found = [read_metrics(path) for path in metrics]
    names = [str(value["name"]) for value in found]
    if len(set(names)) < len(names):
        raise InputError("two contestants have one name", given=", ".join(names))
    sizes: dict[str, float] = {}
    for value in found:
        for crop, numbers in value["crops"].items():
            if "r" in numbers:
                sizes[crop] = max(sizes.get(crop, 0.0), numbers["statistics_ha"])
    if not sizes:
        raise InputError("no contestant has a crop with enough units to draw")
    crops = sorted(sizes, key=lambda crop: (-sizes[crop], crop))[:max_crops]
    figure = new_figure(11.2, 1.2 + 0.27 * len(crops), title=title, note=note)
    panels = figure.subplots(1, 3, sharey=True)
    place = np.arange(len(crops))[::-1]
    step = 0.6 / max(len(found), 1)
    for axes, key, text in zip(
        panels,
        ("r", "r2", "rmse_ha"),
        ("r (Eq. 17)", "R² = 1 − SSE/SST (Eq. 18)", "RMSE, ha (Eq. 19)"),
        strict=True,
    ):
        for k, value in enumerate(found):
            numbers = np.array([_number(value["crops"].get(crop, {}).get(key)) for crop in crops])
            at = place + 0.3 - step * (k + 0.5)
            off = numbers < _LOWEST_R2 if key == "r2" else np.zeros(len(crops), dtype=bool)
            colour = CONTESTANTS[k % len(CONTESTANTS)]
            axes.scatter(numbers[~off], at[~off], s=20, color=colour, zorder=3, linewidths=0)
            axes.scatter(
                np.full(off.sum(), _LOWEST_R2),
                at[off],
                s=24,
                marker="<",
                color=colour,
                zorder=3,
                linewidths=0,
                clip_on=False,
            )
        axes.set_xlabel(text, fontsize=8.5)
        axes.tick_params(labelsize=8, length=2)
        axes.grid(axis="x", alpha=0.25, linewidth=0.5)
        for y in place[:-1] - 0.5:
            axes.axhline(y, color="#000000", alpha=0.07, linewidth=0.6)
    panels[1].set_xlim(_LOWEST_R2, 1.02)
    panels[1].axvline(0, color=INK, linewidth=0.7)
    panels[2].set_xscale("log")
    panels[2].xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
    panels[2].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panels[2].xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_yticks(place, [crop_title(crop) for crop in crops])
    panels[0].set_ylim(-0.6, len(crops) - 0.4)
    figure.legend(
        handles=[
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                color=CONTESTANTS[k % len(CONTESTANTS)],
                markersize=5,
                label=name.replace("_", " "),
            )
            for k, name in enumerate(names)
        ],
        loc="outside right upper",
        fontsize=8,
        frameon=False,
    )
    save_figure(figure, output)


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)


def read_metrics(path: Path) -> dict[str, Any]:
    """A JSON of measures; raises InputError if it is absent, damaged or something else."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"measures {path} cannot be read", given=error) from None
    if not isinstance(value, dict) or "crops" not in value or "name" not in value:
        raise InputError(f"{path} holds no measures of a validation")
    return value

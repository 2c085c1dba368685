"""Blocks of the final map beside products: deviation maps (Fig. 14), slopes (Fig. 15), scatter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm

from cropbase.figures import image, save_figure
from cropbase.tables import read_csv, read_table
from croplayer.grid.planning import read_plan
from croplayer.report.block_maps import Places
from croplayer.report.style import BLUE, INK, ORANGE, RED, map_axes, new_figure, panel_size

MEASURES = {"af": "area fraction", "ed": "edge density"}
CLIP_PERCENT = 100
"""Deviations beyond are drawn as this much: Div knows no upper end."""
_BINS = 25
_LINEAR = 30
"""Up to so many blocks a bin colours grow with the number, beyond with its logarithm."""
_DOTS = 3000
"""More blocks than these are drawn as densities."""


def plot_deviations(
    *, blocks: Path, compared: Path, titles: dict[str, str], output: Path, title: str, note: str
) -> None:
    """Maps of the relative deviation of area fraction and edge density (PNG, Eq. 6, Fig. 14).

    Parameters
    ----------
    blocks : the plan. compared : block table of `summarise_comparison`. titles : product -> name.

    Red: the product has more than the final map, blue: less; blocks without cropland in the final
    map have no deviation and stay empty.
    """
    place = Places(read_plan(blocks))
    table = read_table(compared)
    width, height = panel_size(place.extent, 3.0)
    figure = new_figure(
        1.0 + len(titles) * (width + 0.35), 1.0 + 2 * (height + 0.6), title=title, note=note
    )
    axes = figure.subplots(2, len(titles), squeeze=False)
    picture = None
    for row, (measure, text) in enumerate(MEASURES.items()):
        for col, (name, text_of) in enumerate(titles.items()):
            mine = table[table["product"] == name]
            percent = mine.assign(value=100 * mine[f"div_{measure}_strict"])
            picture = axes[row, col].imshow(
                place.picture(percent, "value"),
                extent=image(place.bounds),
                cmap="RdBu_r",
                norm=TwoSlopeNorm(0, -CLIP_PERCENT, CLIP_PERCENT),
                interpolation="nearest",
            )
            map_axes(axes[row, col], place.extent, f"{text_of}: {text}")
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, extend="max")
    bar.set_label("deviation from the final map (%)", fontsize=9)
    save_figure(figure, output)


def plot_slopes(
    *,
    compared: Path,
    slopes_csv: Path,
    titles: dict[str, str],
    least_af: float,
    output: Path,
    title: str,
    note: str,
) -> None:
    """Histograms of deviation over slope, and the median of each slope class (PNG, Fig. 15).

    `least_af` as in `slopes_csv` (`slope_table`): only blocks with more cropland are counted.
    """
    table = read_table(compared)
    table = table[(table["af_ours"] > least_af) & table["slope"].notna()]
    medians = read_csv(slopes_csv, ("product", "reading", "slope_from", "slope_to"))
    medians = medians[(medians["reading"] == "strict") & (medians["blocks"] > 0)]
    figure = new_figure(1.6 + 2.5 * len(titles), 5.6, title=title, note=note)
    axes = figure.subplots(2, len(titles), squeeze=False, sharex=True, sharey=True)
    top = max(float(table["slope"].max()) if len(table) else 1.0, 1.0)
    panels = {
        (m, name): axes[i, j] for i, m in enumerate(MEASURES) for j, name in enumerate(titles)
    }
    counts = {
        (measure, name): _joint(table[table["product"] == name], measure, top)
        for measure, name in panels
    }
    most = max(int(count.max()) for count in counts.values())
    norm = Normalize(1, max(most, 2)) if most <= _LINEAR else LogNorm(1, most)
    edges = np.linspace(0, top, _BINS + 1), np.linspace(-CLIP_PERCENT, CLIP_PERCENT, _BINS + 1)
    mesh = None
    for (measure, name), panel in panels.items():
        count = np.ma.masked_equal(counts[measure, name], 0)
        mesh = panel.pcolormesh(*edges, count.T, cmap="cividis", norm=norm)
        panel.axhline(0, color=INK, linewidth=0.8)
        panel.tick_params(labelsize=7)
        _medians(panel, medians[medians["product"] == name], measure, top)
        panel.set_title(f"{titles[name]}: {MEASURES[measure]}", fontsize=8)
    for panel in axes[-1]:
        panel.set_xlabel("slope, median of the block (degrees)", fontsize=8)
    for panel in axes[:, 0]:
        panel.set_ylabel("deviation (%)", fontsize=8)
    figure.colorbar(mesh, ax=axes, shrink=0.7, format="%d").set_label("blocks", fontsize=8)
    axes[0, 0].legend(fontsize=7, loc="upper right")
    save_figure(figure, output)


def _joint(mine: pd.DataFrame, measure: str, top: float) -> np.ndarray:
    """(slope, deviation) counts of blocks; deviations beyond the axis in its last bin."""
    percent = 100 * mine[f"div_{measure}_strict"]
    known = percent.notna()
    return np.histogram2d(
        mine["slope"][known],
        percent[known].clip(-CLIP_PERCENT, CLIP_PERCENT),
        bins=(_BINS, _BINS),
        range=((0, top), (-CLIP_PERCENT, CLIP_PERCENT)),
    )[0]


def _medians(panel: Axes, rows: pd.DataFrame, measure: str, top: float) -> None:
    for k, row in enumerate(rows.itertuples()):
        value = 100 * getattr(row, f"div_{measure}_median")
        span = (row.slope_from, min(row.slope_to, top))
        panel.plot(
            span,
            [value] * 2,
            color=RED,
            linewidth=2,
            label="median of the slope class" if k == 0 else None,
        )


def plot_scatter(
    *, compared: Path, titles: dict[str, str], output: Path, title: str, note: str
) -> None:
    """Area fraction and edge density of every block, product against final map (PNG, Eq. 5)."""
    table = read_table(compared)
    figure = new_figure(0.8 + 2.7 * len(titles), 5.8, title=title, note=note)
    axes = figure.subplots(2, len(titles), squeeze=False)
    for row, (measure, text) in enumerate(MEASURES.items()):
        ours, theirs = f"{measure}_ours", f"{measure}_strict"
        top = float(np.nanmax([table[ours].max(), table[theirs].max(), 1e-6])) * 1.03
        for col, (name, text_of) in enumerate(titles.items()):
            panel = axes[row, col]
            mine = table[table["product"] == name].dropna(subset=[ours, theirs])
            if len(mine) > _DOTS:
                panel.hexbin(
                    mine[ours],
                    mine[theirs],
                    gridsize=40,
                    bins="log",
                    cmap="cividis",
                    mincnt=1,
                    extent=(0, top, 0, top),
                )
            else:
                panel.scatter(mine[ours], mine[theirs], s=14, color=BLUE, alpha=0.6, linewidth=0)
            panel.plot((0, top), (0, top), color=ORANGE, linewidth=1.2)
            panel.set(xlim=(0, top), ylim=(0, top), aspect="equal")
            panel.tick_params(labelsize=7)
            panel.set_xlabel(f"{text} of the final map (1)", fontsize=8)
            panel.set_ylabel(f"{text} of {text_of} (1)", fontsize=8)
    save_figure(figure, output)

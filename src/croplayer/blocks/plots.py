"""Figures of the block models: permutation importance and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cropbase.atomic import atomic_path

# Okabe and Ito's palette: told apart by colour-blind readers too.
GROUP_COLOURS = {
    "Geography": "#0072B2",
    "Image quality": "#E69F00",
    "Region property": "#009E73",
    "Consistency": "#CC79A7",
    "Semantic class": "#56B4E9",
}
_GROUPS = {
    "Geography": ("elevation", "slope", "ruggedness", "roughness"),
    "Image quality": ("coverage_type", "sharpness", "hue", "saturation", "lightness"),
    "Consistency": ("consistency", "containment"),
    "Semantic class": ("semantic",),
}


def plot_importance(
    card: Mapping[str, Any],
    output: Path,
    *,
    title: str,
    suffixes: Mapping[str, str] | None = None,
) -> None:
    """Bar chart of a model card's permutation importance, PNG, with one standard deviation.

    Parameters
    ----------
    card : as written by `croplayer.blocks.classifier.train`.
    suffixes : endings of features and what to write for them, such as {"_a": " (google)"}.
    """
    importance = card["importance"]
    found = importance["features"]
    names = sorted(found, key=lambda name: (found[name]["mean"], name))
    groups = [_group(name) for name in names]
    figure = Figure(figsize=(7.5, 1.6 + 0.24 * len(names)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.barh(
        [_text(name, suffixes or {}) for name in names],
        [found[name]["mean"] for name in names],
        xerr=[found[name]["std"] for name in names],
        color=[GROUP_COLOURS[group] for group in groups],
        error_kw={"ecolor": "#444444", "elinewidth": 0.8},
    )
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.margins(y=0.01)
    axes.set_xlabel("decrease of accuracy when the feature is permuted (share of rows)")
    axes.set_title(
        f"{title}: permutation importance\n{importance['repeats']} repeats on "
        f"{importance['measured_on']} ({importance['rows']})",
        fontsize=10,
    )
    axes.tick_params(labelsize=8)
    shown = [group for group in GROUP_COLOURS if group in groups]
    axes.legend(
        [Patch(color=GROUP_COLOURS[group]) for group in shown],
        shown,
        fontsize=8,
        loc="lower right",
    )
    _save(figure, output)


def plot_confusion(card: Mapping[str, Any], output: Path, *, title: str) -> None:
    """Confusion matrix of a model card's held-out rows, PNG; rows are the labels.

    A card without a test gives a figure that says so.
    """
    classes = list(card["classes"])
    figure = Figure(figsize=(5.2, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if card["test"] is None:
        axes.text(0.5, 0.5, "no labelled block could be held out", ha="center", va="center")
        axes.set_axis_off()
        axes.set_title(title, fontsize=10)
        _save(figure, output)
        return
    counts = np.array(card["test"]["confusion"])
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    for i in range(len(classes)):
        for j in range(len(classes)):
            colour = "black" if share[i, j] > 0.55 else "white"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(
        f"{title}\n{card['test_rows']} held-out rows, accuracy {card['test']['accuracy']:.1%}",
        fontsize=10,
    )
    figure.colorbar(image, ax=axes, label="share of the label's rows", shrink=0.8)
    _save(figure, output)


def _group(name: str) -> str:
    stem = name.removesuffix("_a").removesuffix("_b")
    for group, names in _GROUPS.items():
        if stem in names:
            return group
    return "Region property"


def _text(name: str, suffixes: Mapping[str, str]) -> str:
    for ending, text in suffixes.items():
        if name.endswith(ending):
            return name.removesuffix(ending).replace("_", " ") + text
    return name.replace("_", " ")


def _save(figure: Figure, output: Path) -> None:
    with atomic_path(output) as temporary:
        # Without the software's version, or the same figure would differ between machines.
        figure.savefig(temporary, metadata={"Software": None})

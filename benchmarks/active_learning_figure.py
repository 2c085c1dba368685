"""Draw docs/img/active_learning.png from the rows of `benchmarks/active_learning.py`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from cropbase.figures import save_figure
from croplayer.report.style import BLUE, GREEN, INK, ORANGE, SKY, new_figure

HERE = Path(__file__).parent
COLOURS = {
    "random windows": BLUE,
    "random small extents": SKY,
    "strategy": GREEN,
    "errors known": ORANGE,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, nargs="?", default=HERE / "results/active_learning.json")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs/img/active_learning.png")
    options = parser.parse_args()
    draw(json.loads(options.rows.read_text(encoding="utf-8")), options.output)


def draw(rows: list[dict], output: Path) -> None:
    """A panel a pool: mean IoU on the held-out fold over the labelled area, and its spread."""
    rows = [row for row in rows if "iou" in row]
    figure = new_figure(5.6 * len(rows), 4.6)
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        labelled = np.array(row["labelled_ha"])
        for name, colour in COLOURS.items():
            runs = np.array(row["iou"][name])
            area = labelled[: runs.shape[1]]
            mean, spread = runs.mean(axis=0), runs.std(axis=0, ddof=1)
            axes.fill_between(area, mean - spread, mean + spread, color=colour, alpha=0.12)
            axes.plot(area, mean, color=colour, marker="o", markersize=3, label=name)
        budget = int(np.abs(labelled - row["peer"]).argmin())
        goal = np.mean([run[budget] for run in row["iou"]["random windows"]])
        axes.axhline(goal, color=INK, linewidth=0.8, linestyle="--")
        for area in (row["peer"] / 2, row["peer"]):
            axes.axvline(area, color=INK, linewidth=0.8, linestyle=":")
        ticks = labelled[0] * 2 ** np.arange(np.log2(labelled[-1] / labelled[0]) + 0.5)
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
        axes.set_xlabel("labelled, ha (dotted: the budget and half of it)")
        axes.set_ylabel("IoU on the held-out fold, mean and spread of the seeds")
        axes.set_title(row["case"].rpartition(", ")[2], fontsize=10)
        axes.legend(loc="lower right", frameon=False)
    save_figure(figure, output)


if __name__ == "__main__":
    main()

"""Draw docs/img/active_learning.png from the rows of `benchmarks/active_learning.py`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from cropbase.figures import save_figure
from croplayer.report.style import BLUE, GREEN, INK, ORANGE, new_figure

HERE = Path(__file__).parent
COLOURS = {"random": BLUE, "strategy": GREEN, "errors known": ORANGE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, nargs="?", default=HERE / "results/active_learning.json")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs/img/active_learning.png")
    options = parser.parse_args()
    draw(json.loads(options.rows.read_text(encoding="utf-8")), options.output)


def draw(rows: list[dict], output: Path) -> None:
    """A panel a pool: mean IoU on the held-out fold over the labelled area, and its spread."""
    figure = new_figure(5.6 * len(rows), 4.4)
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        labelled = np.array(row["labelled_ha"])
        for name, colour in COLOURS.items():
            runs = np.array(row["iou"][name])
            mean, spread = runs.mean(axis=0), runs.std(axis=0, ddof=1)
            axes.fill_between(labelled, mean - spread, mean + spread, color=colour, alpha=0.15)
            axes.plot(labelled, mean, color=colour, marker="o", markersize=3, label=name)
        goal = np.mean([run[-1] for run in row["iou"]["random"]])
        axes.axhline(goal, color=INK, linewidth=0.8, linestyle="--")
        axes.axvline(labelled[-1] / 2, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel("labelled, ha (dotted: half of all labels)")
        axes.set_ylabel("IoU on the held-out fold, mean and spread of the seeds")
        axes.set_title(row["case"].rpartition(", ")[2], fontsize=10)
        axes.legend(loc="lower right", frameon=False)
    save_figure(figure, output)


if __name__ == "__main__":
    main()

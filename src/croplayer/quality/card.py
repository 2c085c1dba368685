"""How good the coverage network is on blocks it never saw: figures and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cropbase.atomic import atomic_path
from croplayer.quality.coverage import CLASSES


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(5, 5) counts, rows the labelled and columns the predicted type, in the order of CLASSES.

    Parameters: truth, predicted (n,) indexes into CLASSES.
    """
    counts = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    np.add.at(counts, (truth, predicted), 1)
    return counts


def scores(confusion: np.ndarray) -> dict[str, Any]:
    """Figures of a confusion matrix; None where a figure is not defined (nothing was counted).

    top1_accuracy, majority_share (what calling everything by the commonest type would reach), and
    by class precision, recall and the number of labelled images.
    """
    total, right = int(confusion.sum()), np.diag(confusion)
    labelled, called = confusion.sum(axis=1), confusion.sum(axis=0)

    def ratio(part: int, whole: int) -> float | None:
        return round(float(part / whole), 6) if whole else None

    return {
        "top1_accuracy": ratio(right.sum(), total),
        "majority_share": ratio(labelled.max(), total),
        "images": total,
        "classes": {
            name: {
                "precision": ratio(right[i], called[i]),
                "recall": ratio(right[i], labelled[i]),
                "images": int(labelled[i]),
            }
            for i, name in enumerate(CLASSES)
        },
    }


def draw_confusion(confusion: np.ndarray, path: Path, *, title: str) -> None:
    """Write the confusion matrix as a PNG, atomically, the same bytes for the same counts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, col in np.ndindex(*confusion.shape):
        colour = "white" if shares[row, col] > 0.55 else "black"
        axes.text(col, row, str(confusion[row, col]), ha="center", va="center", color=colour)
    names = [name.replace("_", "-") for name in CLASSES]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    axes.set_title(title, fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})

"""What a trained model maps of labelled windows, and how far it agrees with the labels."""

from __future__ import annotations

import numpy as np
import torch

from croplayer.active.rasterise import CROPLAND, IGNORED
from croplayer.grid import PixelWindow
from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.chips import array_reader
from croplayer.segmentation.engine import Predictor
from croplayer.segmentation.windows import LabelledWindow
from croplayer.settings.segmentation import SegmentationSettings
from croplayer.validation.confusion import Confusion


def measure(
    model: SegmentationModel,
    windows: list[LabelledWindow],
    settings: SegmentationSettings,
    device: torch.device,
) -> dict[str, float]:
    """Pixel agreement of a model on labelled windows, with the inference of the map itself.

    Returns
    -------
    `iou`, `precision`, `recall`, `f1` pooled over all windows, and `iou_<source>` (Eq. 2). A ratio
    without a denominator (no cropland mapped or labelled) is 0.
    """
    # Capturing or compiling the network would take longer than the few windows it would serve.
    plain = settings.model_copy(update={"acceleration": "none"})
    predictor = Predictor(model, plain, device)
    counts: dict[str, Confusion] = {}
    for window in windows:
        part = labelled_part(window)
        count = Confusion.count(
            map_part(predictor, window, part) >= settings.threshold,
            window.target[part] == CROPLAND,
            window.target[part] != IGNORED,
        )
        counts[window.source] = counts.get(window.source, Confusion()) + count
    total = sum(counts.values(), Confusion())
    names = ("iou", "precision", "recall", "f1")
    measures = {name: float(np.nan_to_num(getattr(total, name))) for name in names}
    for source, count in sorted(counts.items()):
        measures[f"iou_{source}"] = float(np.nan_to_num(count.iou))
    return measures


def labelled_part(window: LabelledWindow) -> tuple[slice, slice]:
    """Rows and columns between which a window has labels; the margin is only surroundings."""
    known = window.target != IGNORED
    spans = (np.flatnonzero(known.any(axis)) for axis in (1, 0))
    rows, cols = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return rows, cols


def map_part(predictor: Predictor, window: LabelledWindow, part: tuple[slice, slice]) -> np.ndarray:
    """Probability of cropland, float32 (rows, columns), of a part of a window, as the engine maps
    it; the rest of the window serves as surroundings."""
    rows, cols = part
    wanted = PixelWindow(
        window.window.row + rows.start,
        window.window.col + cols.start,
        rows.stop - rows.start,
        cols.stop - cols.start,
    )
    read = array_reader(window.rgb, window.imagery, window.window)
    return predictor.map_window(wanted, read)

"""Pictures of held-out extents: the image, the truth, and what every model maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cropbase.errors import InputError
from cropbase.figures import save_figure
from croplayer.active.rasterise import CROPLAND, IGNORED
from croplayer.grid import BlockGrid
from croplayer.report.extents import COLOURS, agreement_colours
from croplayer.report.style import legend, new_figure
from croplayer.segmentation.comparison.run import Data
from croplayer.segmentation.inference import NODATA, SCALE
from croplayer.segmentation.measuring import labelled_part
from croplayer.segmentation.windows import LabelledWindow, load_windows

_TRUTH = {"cropland": COLOURS["drawn and mapped"], "other": COLOURS["neither"]}


def plot_plate(
    *,
    predictions: dict[str, Path],
    data: Data,
    threshold: float,
    most: int,
    output: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Draw a row an extent: image, truth, and each model's agreement with it (PNG).

    Parameters
    ----------
    predictions : model -> .npz of one run of it, all of the same fold.
    data : imagery and labels, the extents with the split of that fold.
    most : extents at most; of more, evenly spread ones are shown.

    Raises InputError for predictions that do not belong to the labels.
    """
    maps = {model: _read(path) for model, path in predictions.items()}
    windows, _ = load_windows(
        mosaics=data.mosaics,
        polygons=data.polygons,
        extents=data.extents,
        grid=data.grid,
        margin_pixels=0,
    )
    names = sorted(set.intersection(*(set(found) for found in maps.values())))
    shown = [window for window in windows if window.name in names]
    if not shown:
        raise InputError(
            "the predictions of the compared models have no extent in common with the labels",
            given=", ".join(map(str, predictions.values())),
            remedy="delete the runs and let the workflow make them again",
        )
    if len(shown) > most:
        shown = [shown[k] for k in np.linspace(0, len(shown) - 1, most).round().astype(int)]
    columns = 2 + len(maps)
    stretch = [_stretch(window, data.grid) for window in shown]
    heights = [
        2.0 * tall * _proportion(window) for tall, window in zip(stretch, shown, strict=True)
    ]
    figure = new_figure(
        2.1 * columns, 1.1 + sum(heights) + 0.1 * len(shown), title=title, note=note
    )
    axes = figure.subplots(len(shown), columns, squeeze=False, height_ratios=heights)
    for row, window, tall in zip(axes, shown, stretch, strict=True):
        _draw_row(row, window, [found[window.name] for found in maps.values()], threshold, tall)
    for axis, text in zip(axes[0], ("image", "truth", *maps), strict=True):
        axis.set_title(text, fontsize=9)
    legend(axes[-1, 1], _TRUTH, columns=2)
    legend(axes[-1, 2], COLOURS, columns=2)
    save_figure(figure, output)


def _stretch(window: LabelledWindow, grid: BlockGrid) -> float:
    """Ground height of a pixel in units of its width: degrees of longitude are the shorter ones."""
    _, south, _, north = grid.window_bounds(window.window)
    return 1 / np.cos(np.radians((south + north) / 2))


def _proportion(window: LabelledWindow) -> float:
    rows, cols = labelled_part(window)
    return (rows.stop - rows.start) / (cols.stop - cols.start)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise InputError(f"predictions {path} cannot be read", given=error) from None


def _draw_row(
    axes: Sequence,
    window: LabelledWindow,
    maps: Sequence[np.ndarray],
    threshold: float,
    tall: float,
) -> None:
    part = labelled_part(window)
    target = window.target[part]
    truth, known = target == CROPLAND, target != IGNORED
    axes[0].imshow(window.rgb[part], aspect=tall)
    axes[1].imshow(agreement_colours(truth, truth, known), aspect=tall)
    for axis, found in zip(axes[2:], maps, strict=True):
        if found.shape != truth.shape:
            raise InputError(f"the predictions of {window.name} do not fit its labels")
        mapped = (found >= threshold * SCALE) & (found != NODATA)
        axis.imshow(agreement_colours(mapped, truth, known & (found != NODATA)), aspect=tall)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    axes[0].set_ylabel(window.name, fontsize=7)

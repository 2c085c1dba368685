"""Resampling kernels, and sampling of an image at exact positions.

Positions are pixels of the whole source, where pixel k spans [k, k + 1]. Weights are reckoned from
these alone and summed in a fixed order, pixel by pixel, so a value does not depend on the window
that it is computed in. Where the source is finer than the grid, kernels widen by the ratio
(`scale`), as GDAL's warper does: the imagery is then averaged and does not alias.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

Method = Literal["bilinear", "nearest", "cubic", "average"]

_COMPLETE = 0.999
"""Weight of the valid source pixels from which nothing is renormalised (a quarter grey value)."""
_LEAST = 0.05
"""Weight of the valid source pixels below which the nearest of them is taken instead."""


@dataclass(frozen=True)
class Taps:
    """Source pixels and weights, along one axis, of output positions.

    Parameters
    ----------
    first : int64 (...), the first source pixel of each output position.
    weights : float32 (taps, ...), weight of `first`, `first + 1`, ...; they sum to one.
    nearest : int64 (...), the source pixel that holds the position.
    """

    first: np.ndarray
    weights: np.ndarray
    nearest: np.ndarray

    @property
    def span(self) -> tuple[int, int]:
        """First and one past the last source pixel that any position needs."""
        if not self.first.size:
            return 0, 0
        return int(self.first.min()), int(self.first.max()) + len(self.weights)


def reach(method: Method, scale: float) -> int:
    """Source pixels, at most, that a kernel reads on each side of a position, plus one."""
    radius = {"nearest": 0.0, "average": scale / 2, "bilinear": max(1.0, scale)}.get(
        method, 2 * max(1.0, scale)
    )
    return ceil(radius) + 1


def taps(position: np.ndarray, scale: np.ndarray, method: Method) -> Taps:
    """Taps for output pixels whose centres are at `position`.

    Parameters
    ----------
    position : float64 (...), source pixels.
    scale : float64 (...), source pixels an output pixel, greater than 0.
    """
    nearest = np.floor(position).astype(np.int64)
    if method == "nearest":
        return Taps(nearest, np.ones((1, *position.shape), np.float32), nearest)
    if method == "average":
        half = scale / 2
        first = np.floor(position - half).astype(np.int64)
        count = ceil(float(np.max(scale, initial=0.0))) + 1
    else:
        half = (1.0 if method == "bilinear" else 2.0) * np.maximum(scale, 1.0)
        first = np.floor(position - half - 0.5).astype(np.int64) + 1
        count = ceil(2 * float(np.max(half, initial=1.0)))
    weights = np.empty((count, *position.shape), np.float64)
    total = np.zeros(position.shape, np.float64)
    for k in range(count):
        weights[k] = _weight(first + k, position, scale, half, method)
        total += weights[k]
    return Taps(first, (weights / total).astype(np.float32), nearest)


def _weight(
    pixel: np.ndarray, position: np.ndarray, scale: np.ndarray, half: np.ndarray, method: Method
) -> np.ndarray:
    if method == "average":
        overlap = np.minimum(pixel + 1, position + half) - np.maximum(pixel, position - half)
        return np.maximum(overlap, 0.0)
    distance = np.abs(pixel + 0.5 - position) / np.maximum(scale, 1.0)
    if method == "bilinear":
        return np.maximum(0.0, 1.0 - distance)
    # Keys 1981, cubic convolution with a = -0.5.
    near = (1.5 * distance - 2.5) * distance * distance + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))


@dataclass(frozen=True)
class Canvas:
    """A piece of a source image.

    Parameters
    ----------
    row, col : source pixel of its north-west corner.
    rgb : uint8 or float32 (rows, columns, 3), 0 to 255.
    valid : bool (rows, columns), or None if all pixels are valid.
    """

    row: int
    col: int
    rgb: np.ndarray
    valid: np.ndarray | None


def sample_separable(canvas: Canvas, rows: Taps, cols: Taps) -> tuple[np.ndarray, np.ndarray]:
    """Sample where the row depends on the output row alone and the column on the column alone.

    Parameters
    ----------
    rows, cols : taps (height,) and (width,). What lies outside the canvas is invalid.

    Returns
    -------
    (rgb, valid) : uint8 (height, width, 3) and bool (height, width); invalid pixels are 0.
    """
    height, width = canvas.rgb.shape[:2]
    row_at, row_in = _inside(rows.nearest - canvas.row, height)
    col_at, col_in = _inside(cols.nearest - canvas.col, width)
    within = row_in[:, None] & col_in[None, :]
    if canvas.valid is None and not _leaves(canvas, rows, cols):
        return _settle(_weighted(canvas.rgb, canvas, rows, cols), None, None, within), within
    source = np.ones((height, width), bool) if canvas.valid is None else canvas.valid
    valid = within & source[row_at[:, None], col_at[None, :]]
    nearest = canvas.rgb[row_at[:, None], col_at[None, :]]
    total = _weighted(canvas.rgb * source[..., None], canvas, rows, cols)
    complete = _weighted(source[..., None].astype(np.float32), canvas, rows, cols)[..., 0]
    return _settle(total, complete, nearest, valid), valid


def _leaves(canvas: Canvas, rows: Taps, cols: Taps) -> bool:
    """True if a kernel reaches beyond the canvas."""
    height, width = canvas.rgb.shape[:2]
    (top, bottom), (left, right) = rows.span, cols.span
    return (
        top < canvas.row
        or left < canvas.col
        or bottom > canvas.row + height
        or right > canvas.col + width
    )


def _weighted(image: np.ndarray, canvas: Canvas, rows: Taps, cols: Taps) -> np.ndarray:
    """Weighted sums over rows and then columns, float32 (height, width, bands)."""
    high, wide, bands = image.shape
    half = np.zeros((len(rows.first), wide, bands), np.float32)
    for k, weight in enumerate(rows.weights):
        at, inside = _inside(rows.first + k - canvas.row, high)
        half += image[at] * (weight * inside)[:, None, None]
    full = np.zeros((len(rows.first), len(cols.first), bands), np.float32)
    for k, weight in enumerate(cols.weights):
        at, inside = _inside(cols.first + k - canvas.col, wide)
        full += half[:, at] * (weight * inside)[None, :, None]
    return full


def sample_scattered(canvas: Canvas, rows: Taps, cols: Taps) -> tuple[np.ndarray, np.ndarray]:
    """Sample at positions of their own for each output pixel.

    Parameters
    ----------
    rows, cols : taps (height, width). What lies outside the canvas is invalid.

    Returns
    -------
    As `sample_separable`.
    """
    height, width = canvas.rgb.shape[:2]
    bands = canvas.rgb.shape[2]
    source = np.ones((height, width), bool) if canvas.valid is None else canvas.valid
    packed = np.empty((height * width, bands + 1), np.float32)
    packed[:, :bands] = (canvas.rgb * source[..., None]).reshape(-1, bands)
    packed[:, bands] = source.ravel()
    total = np.zeros((*rows.first.shape, bands + 1), np.float32)
    columns = []
    for k, weight in enumerate(cols.weights):
        at, inside = _inside(cols.first + k - canvas.col, width)
        columns.append((at, weight * inside))
    for k, row_weight in enumerate(rows.weights):
        row_at, row_in = _inside(rows.first + k - canvas.row, height)
        offset, strength = row_at * width, row_weight * row_in
        for col_at, col_weight in columns:
            total += packed[offset + col_at] * (strength * col_weight)[..., None]
    row_at, row_in = _inside(rows.nearest - canvas.row, height)
    col_at, col_in = _inside(cols.nearest - canvas.col, width)
    valid = row_in & col_in & source[row_at, col_at]
    nearest = canvas.rgb[row_at, col_at]
    return _settle(total[..., :bands], total[..., bands], nearest, valid), valid


def _inside(index: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices brought into 0 ... size - 1, and which of them were there before."""
    clipped = np.clip(index, 0, size - 1)
    return clipped, clipped == index


def _settle(
    total: np.ndarray,
    complete: np.ndarray | None,
    nearest: np.ndarray | None,
    valid: np.ndarray,
) -> np.ndarray:
    """Grey values from weighted sums: renormalised beside holes, 0 where invalid."""
    if complete is not None and nearest is not None:
        # The rule is one of the pixel alone: where all its sources are valid nothing is changed,
        # so a window with holes and one without agree on the pixels that they share.
        few = complete < _LEAST
        divisor = np.where(complete < _COMPLETE, np.where(few, 1.0, complete), 1.0)
        total = total / divisor.astype(np.float32)[..., None]
        total = np.where(few[..., None], nearest, total)
    values = np.clip(np.rint(total), 0, 255).astype(np.uint8)
    if not valid.all():
        values[~valid] = 0
    return values

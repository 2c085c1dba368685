"""Signs of a wrong map in one block, window by window: uncertainty and disagreement.

A block is read once. Its probabilities have 251 values, so a histogram a window holds all that
entropy and margin need.
"""

from __future__ import annotations

import numpy as np

from croplayer.segmentation.inference import SCALE

_P = np.arange(SCALE + 1) / SCALE


def entropy_bits(p: np.ndarray) -> np.ndarray:
    """Binary entropy of probabilities, bits: 0 at 0 and 1, 1 at a half."""
    p = np.asarray(p, dtype=np.float64)
    result = np.zeros(p.shape)
    for part in (p, 1 - p):
        result -= part * np.log2(part, out=np.zeros(p.shape), where=part > 0)
    return result


def smallness_of_margin(p: np.ndarray) -> np.ndarray:
    """1 - |2p - 1|: 0 where the model is sure, 1 where both classes are equally likely."""
    return 1 - np.abs(2 * np.asarray(p, dtype=np.float64) - 1)


UNCERTAINTY = {"entropy": entropy_bits(_P), "margin": smallness_of_margin(_P)}
"""Uncertainty of each stored value 0-250 of a probability raster."""


def windows_of(array: np.ndarray, per_edge: int) -> np.ndarray:
    """A view of a block as windows: (rows, columns) -> (per_edge, per_edge, height, width)."""
    height, width = (n // per_edge for n in array.shape)
    return array.reshape(per_edge, height, per_edge, width).swapaxes(1, 2)


def histograms(stored: np.ndarray, per_edge: int) -> np.ndarray:
    """How often each value stands in each window of a block.

    Parameters
    ----------
    stored : uint8 (rows, columns), 0-250 = probability x 250, 255 nodata.
    per_edge : windows along the edge; divides rows and columns.

    Returns (per_edge, per_edge, 251) int64; nodata is not counted.
    """
    cells = windows_of(stored, per_edge)
    number = np.arange(per_edge * per_edge).reshape(per_edge, per_edge, 1, 1)
    coded = number * 256 + cells.astype(np.int64)
    counts = np.bincount(coded.ravel(), minlength=per_edge * per_edge * 256)
    return counts.reshape(per_edge, per_edge, 256)[..., : SCALE + 1]


def mean_uncertainty(counts: np.ndarray, measure: str) -> np.ndarray:
    """Mean uncertainty of the pixels that were counted; NaN where there is none.

    Parameters
    ----------
    counts : (..., 251) as `histograms`, or sums of them.
    measure : entropy or margin.
    """
    total = counts.sum(axis=-1)
    mean = np.full(total.shape, np.nan)
    np.divide(counts @ UNCERTAINTY[measure], total, out=mean, where=total > 0)
    return mean


def share_where(differs: np.ndarray, valid: np.ndarray, per_edge: int) -> np.ndarray:
    """Share of the valid pixels of each window that differ; NaN where none is valid.

    Parameters
    ----------
    differs, valid : bool (rows, columns).

    Returns (per_edge, per_edge) float64.
    """
    different = windows_of(differs & valid, per_edge).sum(axis=(2, 3))
    known = windows_of(valid, per_edge).sum(axis=(2, 3))
    share = np.full(known.shape, np.nan)
    np.divide(different, known, out=share, where=known > 0)
    return share

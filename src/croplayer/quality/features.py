"""Sharpness and colour of a block (paper, section 3.1, Eq. 1 and Table 5).

Definitions, where the paper leaves them open:

sharpness : the Sobel gradient magnitude sqrt(gx^2 + gy^2) of each band of the image scaled to
    0-1, with the kernels [1, 2, 1] x [-1, 0, 1] (not normalised, as `scipy.ndimage.sobel`), mean
    of the three bands, median over the pixels. 0 to 4 * sqrt(2).
hue : degrees, 0 to 360. An angle has no plain median (359 and 1 are neighbours): the median is
    taken of the deviations from the circular mean, each in -180 to 180, and added to it. Grey
    pixels have no hue and are left out.
saturation, lightness : of HSL, 0 to 1, medians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STRIP_ROWS = 256


@dataclass(frozen=True)
class ImageFeatures:
    """The four image features of a block and the share of its pixels that are valid.

    A feature is NaN where no pixel of the block defines it.
    """

    sharpness: float
    hue: float
    saturation: float
    lightness: float
    valid_fraction: float


def image_features(rgb: np.ndarray, valid: np.ndarray) -> ImageFeatures:
    """Medians over the valid pixels of a block.

    Parameters
    ----------
    rgb : (3, rows + 2, columns + 2) uint8: the block and one pixel around it, so that gradients at
        its edge use the real neighbours.
    valid : (rows + 2, columns + 2) bool. A gradient whose 3 x 3 window touches an invalid pixel is
        left out.

    Raises ValueError for another shape or dtype.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[0] != 3 or rgb.shape[1:] != valid.shape:
        raise ValueError(f"want uint8 (3, rows, columns) and its mask, got {rgb.dtype} {rgb.shape}")
    inside = valid[1:-1, 1:-1]
    count = int(np.count_nonzero(inside))
    fraction = count / inside.size
    if count == 0:
        nan = float("nan")
        return ImageFeatures(nan, nan, nan, nan, 0.0)
    sharpness, hue, saturation, lightness = [], [], [], []
    # Strips bound the temporaries; the medians need all values, 4 bytes each.
    for top in range(0, inside.shape[0], _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, inside.shape[0]) + 2)
        strip, strip_valid = rgb[:, rows], valid[rows]
        sharpness.append(sobel_magnitude(strip)[_whole_windows(strip_valid)])
        colours = strip[:, 1:-1, 1:-1][:, strip_valid[1:-1, 1:-1]]
        h, s, v = rgb_to_hsl(colours)
        hue.append(h[np.isfinite(h)])
        saturation.append(s)
        lightness.append(v)
    return ImageFeatures(
        sharpness=_median(sharpness),
        hue=circular_median_degrees(np.concatenate(hue)),
        saturation=_median(saturation),
        lightness=_median(lightness),
        valid_fraction=fraction,
    )


def sobel_magnitude(rgb: np.ndarray) -> np.ndarray:
    """Eq. 1: Sobel gradient magnitude, mean of the bands, of 0-1 intensities.

    Parameters: rgb (bands, rows, columns) uint8. Returns (rows - 2, columns - 2) float32: the
    outermost pixels have no whole window.
    """
    total = np.zeros((rgb.shape[1] - 2, rgb.shape[2] - 2), dtype=np.float32)
    for band in rgb.astype(np.int32):
        across = band[:, 2:] - band[:, :-2]
        down = band[2:] - band[:-2]
        gx = across[:-2] + 2 * across[1:-1] + across[2:]
        gy = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
        total += np.sqrt((gx * gx + gy * gy).astype(np.float32))
    return total / np.float32(255 * len(rgb))


def rgb_to_hsl(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue (degrees, 0 to 360, NaN for grey), saturation (0-1) and lightness (0-1) of HSL.

    Parameters: rgb (3, ...) uint8. Returns three float32 arrays of shape (...). Saturation and
    lightness as in the standard library's `colorsys.rgb_to_hls`.
    """
    r, g, b = rgb.astype(np.float32)
    high, low = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    chroma, total = high - low, high + low
    grey = chroma == 0
    safe = np.where(grey, np.float32(1), chroma)
    sector = np.where(
        high == r, (g - b) / safe, np.where(high == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    hue = np.where(grey, np.float32(np.nan), np.mod(sector * 60, np.float32(360)))
    # 255 * 2 - total is the distance to white, as total is the distance to black.
    depth = np.minimum(total, 510 - total)
    saturation = np.where(grey, np.float32(0), chroma / np.where(grey, np.float32(1), depth))
    return hue, saturation, total / np.float32(510)


def circular_median_degrees(angles: np.ndarray) -> float:
    """Median direction of angles in degrees, in [0, 360); NaN without angles.

    The median of the deviations (each in -180 to 180) from the circular mean, added to the mean.
    Turning all angles turns the result, and within a half circle it is the ordinary median.
    """
    if angles.size == 0:
        return float("nan")
    radians = np.radians(angles)
    east = np.cos(radians).mean(dtype=np.float64)
    north = np.sin(radians).mean(dtype=np.float64)
    # A scalar of the array's own precision: a block has millions of angles.
    mean = angles.dtype.type(np.degrees(np.arctan2(north, east)))
    deviation = np.mod(angles - mean + 180, 360) - 180
    median = float(np.mod(mean + np.median(deviation), 360))
    return median if median < 360 else 0.0  # the remainder of a tiny negative angle rounds to 360


def _whole_windows(valid: np.ndarray) -> np.ndarray:
    """(rows - 2, columns - 2) bool: all nine pixels of the 3 x 3 window are valid."""
    across = valid[:, :-2] & valid[:, 1:-1] & valid[:, 2:]
    return across[:-2] & across[1:-1] & across[2:]


def _median(parts: list[np.ndarray]) -> float:
    values = np.concatenate(parts)
    return float(np.median(values)) if values.size else float("nan")

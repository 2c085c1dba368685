"""Random changes of training chips that keep an aerial image believable."""

from __future__ import annotations

import numpy as np

from croplayer.settings.segmentation import Augmentation

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def turn(arrays: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """One of the eight symmetries of the square, the same for all arrays (rows, columns, ...)."""
    quarter, mirror = int(rng.integers(4)), bool(rng.integers(2))
    turned = [np.rot90(array, quarter) for array in arrays]
    return [np.flip(array, axis=1) if mirror else array for array in turned]


def draw_scale(settings: Augmentation, rng: np.random.Generator) -> float:
    """A zoom factor between scale_min and scale_max, uniform in its logarithm."""
    low, high = np.log(settings.scale_min), np.log(settings.scale_max)
    return float(np.exp(rng.uniform(low, high)))


def recolour(rgb: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, saturation, band gains, haze and noise of a chip.

    Parameters
    ----------
    rgb : float32 (rows, columns, 3) in 0-1.

    Returns
    -------
    float32 (rows, columns, 3), clipped to 0-1. The draws are the same in number whatever the
    settings, so that switching one change off leaves the others as they were.
    """
    draws = rng.uniform(-1, 1, size=7).astype(np.float32)
    veil, veil_level, noise = rng.uniform(0, 1, size=3).astype(np.float32)
    grey = (rgb @ _GREY)[..., None]
    rgb = grey + (rgb - grey) * (1 + settings.saturation * draws[0])
    mean = grey.mean()
    rgb = mean + (rgb - mean) * (1 + settings.contrast * draws[1])
    rgb = rgb * (1 + settings.brightness * draws[2]) * (1 + settings.colour * draws[3:6])
    share = settings.haze * veil * veil
    level = 0.6 + 0.35 * veil_level
    rgb = rgb * (1 - share) + level * share
    if settings.noise:
        sigma = settings.noise * noise
        rgb = rgb + sigma * rng.standard_normal(rgb.shape, dtype=np.float32)
    return np.clip(rgb, 0, 1).astype(np.float32)

"""The baseline that a network must beat: boosted trees on colour and texture, pixel by pixel.

A pixel is described by its colour and by means, spreads and edges of its surroundings in several
sizes. It sees no shape; what it cannot tell, a network has to tell by shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xgboost
from scipy import ndimage

from croplayer.active.rasterise import CROPLAND, IGNORED
from croplayer.segmentation.windows import LabelledWindow
from croplayer.settings.model_comparison import PixelBaselineSettings

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class PixelBaseline:
    """XGBoost on the features of single pixels."""

    def __init__(self, settings: PixelBaselineSettings, *, seed: int, threads: int = 1) -> None:
        self.settings, self.seed = settings, seed
        self.trees = xgboost.XGBClassifier(
            n_estimators=settings.trees,
            max_depth=settings.depth,
            learning_rate=settings.learning_rate,
            subsample=0.7,
            colsample_bytree=0.5,
            min_child_weight=20,
            tree_method="hist",
            random_state=seed,
            n_jobs=threads,
        )

    def fit(self, windows: Sequence[LabelledWindow]) -> PixelBaseline:
        """Learn from labelled pixels, as many of each window; returns itself."""
        rng = np.random.default_rng(self.seed)
        rows, answers = [], []
        for window in windows:
            known = np.flatnonzero(window.target != IGNORED)
            count = min(self.settings.pixels_per_extent, len(known))
            chosen = np.sort(rng.choice(known, size=count, replace=False))
            described = pixel_features(window.rgb, window.imagery, self.settings.reaches_pixels)
            rows.append(described.reshape(-1, described.shape[-1])[chosen])
            answers.append(window.target.reshape(-1)[chosen] == CROPLAND)
        self.trees.fit(np.concatenate(rows), np.concatenate(answers))
        return self

    @property
    def leaves(self) -> int:
        """Leaves of all trees: the numbers that were learnt."""
        return int((self.trees.get_booster().trees_to_dataframe()["Feature"] == "Leaf").sum())

    def probability(self, rgb: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Probability of cropland, float32 (rows, columns), NaN where not valid.

        `rgb` is uint8 (rows, columns, 3), `valid` bool (rows, columns).
        """
        described = pixel_features(rgb, valid, self.settings.reaches_pixels)
        result = np.full(valid.shape, np.nan, dtype=np.float32)
        result[valid] = self.trees.predict_proba(described[valid])[:, 1]
        return result


def pixel_features(rgb: np.ndarray, valid: np.ndarray, reaches: Sequence[float]) -> np.ndarray:
    """Colour and multi-scale texture of every pixel.

    Parameters
    ----------
    rgb : uint8 (rows, columns, 3).
    valid : bool (rows, columns); other pixels enter no mean.
    reaches : standard deviations of the Gaussian surroundings, pixels.

    Returns
    -------
    float32 (rows, columns, features): the colour (6), and of each size of surroundings the mean
    colour (5), the spread of brightness and of greenness, the mean edge strength, and how far edges
    have one direction.
    """
    colour = rgb.astype(np.float32) / 255
    red, green, blue = np.moveaxis(colour, -1, 0)
    brightness = colour @ _GREY
    greenness = 2 * green - red - blue
    range_ = colour.max(-1) - colour.min(-1)
    layers = [red, green, blue, brightness, greenness, range_]
    across, down = (_gradient(brightness, valid, axis) for axis in (1, 0))
    for reach in reaches:
        mean = _Mean(valid, reach)
        grey, greens = mean(brightness), mean(greenness)
        layers += [mean(red), mean(green), mean(blue), grey, greens]
        layers += [
            np.sqrt(np.maximum(mean(values**2) - centre**2, 0))
            for values, centre in ((brightness, grey), (greenness, greens))
        ]
        layers += _directions(mean(across**2), mean(down**2), mean(across * down))
    return np.stack(layers, axis=-1)


class _Mean:
    """Gaussian mean over the valid pixels of the surroundings."""

    def __init__(self, valid: np.ndarray, reach: float) -> None:
        self.valid, self.reach = valid.astype(np.float32), reach
        self.weight = np.maximum(self._smooth(self.valid), 1e-6)

    def _smooth(self, values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values, self.reach, mode="constant", truncate=3)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return self._smooth(values * self.valid) / self.weight


def _gradient(values: np.ndarray, valid: np.ndarray, axis: int) -> np.ndarray:
    """Central differences; 0 beside a pixel that is not valid."""
    inner = ndimage.minimum_filter1d(valid.astype(np.uint8), 3, axis=axis) > 0
    return np.where(inner, ndimage.correlate1d(values, [-0.5, 0, 0.5], axis=axis), 0)


def _directions(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> list[np.ndarray]:
    """Edge strength and coherence (0 none, 1 a single direction) of a structure tensor."""
    total = xx + yy
    apart = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    return [np.sqrt(total), apart / (total + 1e-6)]

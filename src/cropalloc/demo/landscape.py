"""The generated truth: where each crop of the built-in case grows, and how well it could grow.

Nothing here is measured. Potential yields follow the generated terrain; what is truly sown
follows yields and access, and also tastes that no score knows: no allocation can be perfect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

SYSTEMS = ("I", "H", "L")


@dataclass(frozen=True)
class CropTraits:
    """How a generated crop behaves: heights are quantiles of the province's elevation, 0-1."""

    best_height: float
    height_width: float
    yield_t_per_ha: float
    price: float
    water: float
    """Wish for irrigated land, relative to the others."""
    intensity: dict[str, float]
    """Cropping intensity of I, H, L."""


CROPS = {
    "rice": CropTraits(0.10, 0.30, 6.5, 350.0, 4.0, {"I": 1.6, "H": 1.2, "L": 1.0}),
    "maize": CropTraits(0.40, 0.45, 7.5, 240.0, 1.0, {"I": 1.1, "H": 1.0, "L": 1.0}),
    "soybean": CropTraits(0.55, 0.40, 2.6, 480.0, 0.5, {"I": 1.0, "H": 1.0, "L": 1.0}),
    "rapeseed": CropTraits(0.30, 0.35, 2.4, 560.0, 0.8, {"I": 1.2, "H": 1.0, "L": 1.0}),
    "potato": CropTraits(0.80, 0.35, 6.0, 200.0, 0.4, {"I": 1.0, "H": 1.0, "L": 1.0}),
    "tea": CropTraits(0.95, 0.30, 2.0, 900.0, 0.1, {"I": 1.0, "H": 1.0, "L": 1.0}),
}
SYSTEM_YIELD = {"I": 1.3, "H": 1.0, "L": 0.45}


@dataclass(frozen=True)
class Truth:
    """What is generated of every cell, arrays (rows, columns).

    elevation : metres. cropland, irrigated : true hectares. travel : minutes to the nearest town.
    potential : {(crop, system): t/ha dry matter}. suitability : {crop: 0-100}.
    area : {(crop, system): true physical hectares}.
    """

    cropland: np.ndarray
    irrigated: np.ndarray
    travel: np.ndarray
    potential: dict[tuple[str, str], np.ndarray]
    suitability: dict[str, np.ndarray]
    area: dict[tuple[str, str], np.ndarray]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """Noise with mean 0 and standard deviation 1, smooth over `scale` cells, (rows, columns)."""
    noise = gaussian_filter(rng.standard_normal(shape), scale, mode="reflect")
    return (noise - noise.mean()) / max(noise.std(), 1e-12)


def draw_truth(
    elevation: np.ndarray, cropland: np.ndarray, travel: np.ndarray, *, seed: int, warmth: float
) -> Truth:
    """Draw potential yields and the sown areas of one year.

    Parameters
    ----------
    elevation : (rows, columns) metres; its ranks alone count.
    cropland : (rows, columns) true hectares; 90-98 % of it is sown.
    travel : (rows, columns) minutes.
    warmth : shift of every crop's best height between years, quantiles.
    """
    rng = np.random.default_rng(seed)
    shape = elevation.shape
    height = elevation.ravel().argsort().argsort().reshape(shape) / max(elevation.size - 1, 1)
    near = np.exp(-travel / 60.0)
    water = 1 / (1 + np.exp((height - 0.4) * 10 - smooth_noise(rng, shape, 3)))
    irrigated = 0.75 * water * cropland

    potential, suitability = {}, {}
    for crop, traits in CROPS.items():
        soil = 1 + 0.15 * smooth_noise(rng, shape, 5)
        fit = np.exp(-0.5 * ((height - traits.best_height - warmth) / traits.height_width) ** 2)
        fit = np.clip(fit * soil, 0, 1.2)
        for system in SYSTEMS:
            potential[crop, system] = traits.yield_t_per_ha * SYSTEM_YIELD[system] * fit
        suitability[crop] = np.clip(100 * fit / 1.2, 0, 100)

    sown = cropland * np.clip(0.94 + 0.02 * smooth_noise(rng, shape, 4), 0.9, 0.98)
    wet = np.minimum(irrigated, sown)
    share_high = np.clip(0.35 + 0.5 * near, 0, 1)
    wish = {}
    for crop, traits in CROPS.items():
        worth = potential[crop, "H"] * traits.price
        wish[crop] = worth * np.exp(0.5 * smooth_noise(rng, shape, 2)) / 1000
    wet_shares = _shares({c: CROPS[c].water * np.exp(1.5 * w) for c, w in wish.items()})
    dry_shares = _shares({c: np.exp(1.5 * w) for c, w in wish.items()})
    area = {}
    for crop in CROPS:
        dry = (sown - wet) * dry_shares[crop]
        area[crop, "I"] = wet * wet_shares[crop]
        area[crop, "H"] = dry * share_high
        area[crop, "L"] = dry * (1 - share_high)
    return Truth(cropland, irrigated, travel, potential, suitability, area)


def _shares(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    total = sum(weights.values())
    return {crop: weight / total for crop, weight in weights.items()}

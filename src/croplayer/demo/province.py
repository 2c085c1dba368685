"""Borders, counties and the official area of the generated province."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from rasterio import features
from scipy import ndimage
from shapely.geometry import LineString, Polygon
from shapely.ops import split

from cropbase.areas import row_pixel_areas_ha
from croplayer.demo.canvas import Canvas
from croplayer.demo.noise import stream
from croplayer.grid import Block

NAME = "Generated Demo Province"
CITY = "Demo"
COUNTIES = (("demo-01", "Westhill"), ("demo-02", "Eastfield"))
"""Ids and names of the counties, west first."""
VERTICES = 240


@dataclass(frozen=True)
class Province:
    """polygon, counties (west, east) : EPSG:4326; blocks : all that share area with it."""

    polygon: Polygon
    counties: tuple[Polygon, Polygon]
    blocks: tuple[Block, ...]

    def mask(self, canvas: Canvas) -> np.ndarray:
        """(rows, columns) bool over the core of the canvas: pixel centres inside the province."""
        return features.geometry_mask(
            [self.polygon],
            out_shape=(canvas.core.height, canvas.core.width),
            transform=canvas.grid.transform(canvas.core),
            invert=True,
        )


def make_province(canvas: Canvas, seed: int) -> Province:
    """An irregular province inside the core, cut in two along a winding line."""
    rng = stream(seed, "province")
    west, south, east, north = canvas.core_bounds
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    ripple = np.zeros(VERTICES)
    for wave in range(2, 26):
        size = rng.normal() / wave**0.9
        ripple += size * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    ripple = np.exp(0.085 * ripple / ripple.std())
    # A superellipse: a rectangle with rounded corners, so that corner blocks fall out.
    power = 2.1
    radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    x, y = radius * ripple * np.cos(angle), radius * ripple * np.sin(angle)
    inset = 0.01
    # Stretched to the core exactly, a little inset.
    x = (x - x.min()) / np.ptp(x) * (1 - 2 * inset) + inset
    y = (y - y.min()) / np.ptp(y) * (1 - 2 * inset) + inset
    outline = np.column_stack([west + x * (east - west), south + y * (north - south)])
    polygon = Polygon(np.round(outline, 6))

    down = np.linspace(-0.1, 1.1, 90)
    sway = ndimage.gaussian_filter1d(rng.standard_normal(90), 2.2)
    swing = 0.5 + 0.035 * sway / sway.std() + 0.03 * np.sin(down * 5 + 1)
    border = LineString(
        np.round(np.column_stack([west + swing * (east - west), south + down * (north - south)]), 6)
    )
    parts = sorted(split(polygon, border).geoms, key=lambda part: -part.area)
    big = sorted(parts[:2], key=lambda part: part.centroid.x)
    for sliver in parts[2:]:
        # Where outline and border cross more than twice, the pieces join their neighbour.
        near = int(np.argmax([sliver.boundary.intersection(b.boundary).length for b in big]))
        big[near] = shapely.union(big[near], sliver)
    blocks = tuple(canvas.grid.blocks_touching(polygon))
    return Province(polygon, (big[0], big[1]), blocks)


def cropland_area_ha(canvas: Canvas, province: Province, cropland: np.ndarray) -> float:
    """True cropland inside the province, hectares; `cropland` (rows, columns) bool."""
    inside = cropland[canvas.core_slices] & province.mask(canvas)
    transform = canvas.grid.transform(canvas.core)
    return float(inside.sum(axis=1) @ row_pixel_areas_ha(transform, inside.shape[0]))


def official_area(true_ha: float, deviation_percent: tuple[float, float], seed: int) -> dict:
    """What a survey would report: the true area with a small seeded deviation, said so."""
    rng = stream(seed, "survey")
    deviation = rng.uniform(*deviation_percent) / 100 * (1 if rng.random() < 0.5 else -1)
    return {
        "official_area_ha": round(true_ha * (1 + deviation), 1),
        "true_area_ha": round(true_ha, 1),
        "survey_deviation": round(deviation, 5),
        "origin": "GENERATED: the true cropland of the generated landscape times "
        "(1 + survey_deviation). No survey was made.",
    }

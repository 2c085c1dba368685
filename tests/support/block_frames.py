"""Block tables as `tabulate_blocks` writes them, of MADE values, for tests of the figures."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from croplayer.blocks.classes import COVERAGE_TYPES, OPTIONS, SEMANTIC_CLASSES
from croplayer.blocks.tables import QUALITY_FEATURES, REGION_FEATURES


def block_frame(
    rows: int = 6, cols: int = 8, *, province: str = "West", seed: int = 0, east: int = 0
):
    """`rows` x `cols` blocks of 0.05 degrees from 112 E, 24 N on; `east` moves them by as many."""
    rng = np.random.default_rng(seed)
    row, col = (a.ravel() for a in np.mgrid[0:rows, 0:cols])
    col = col + east
    n = rows * cols
    west, north = 112 + 0.05 * col, 24 + 0.05 * (rows - row)
    inside = rng.uniform(500, 2800, n)
    unusable = np.where(rng.random(n) < 0.2, 0.1 * inside, 0.0)
    af = np.where(rng.random(n) < 0.2, 0.0, rng.random(n))
    values = {
        "block_id": [f"B{r:03d}{c:03d}" for r, c in zip(row, col, strict=True)],
        "row": row,
        "col": col,
        "county_id": np.where(col % 2 == 0, "1", "2"),
        "county": np.where(col % 2 == 0, "Left", "Right"),
        "inside_ha": inside,
        "province": province,
        "elevation": rng.uniform(0, 800, n),
        "slope": rng.uniform(0, 40, n),
        "ruggedness": rng.uniform(0, 20, n),
        "roughness": rng.uniform(0, 20, n),
        "consistency": rng.random(n),
        "containment": rng.random(n),
        "option": rng.choice(OPTIONS, n),
        "cropland_ha": af * (inside - unusable),
        "unusable_ha": unusable,
        "af": af,
        "labelled": rng.choice(["", "positive", "negative"], n, p=[0.6, 0.2, 0.2]),
    }
    for letter in "ab":
        for name in (*QUALITY_FEATURES, *REGION_FEATURES):
            values[f"{name}_{letter}"] = rng.random(n)
        values[f"coverage_type_{letter}"] = rng.choice(COVERAGE_TYPES, n)
        values[f"semantic_{letter}"] = rng.choice(SEMANTIC_CLASSES, n)
    polygons = shapely.box(west, north - 0.05, west + 0.05, north)
    return gpd.GeoDataFrame(values, geometry=polygons, crs=4326)

"""Which labelled extents are held out."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cropbase.areas import polygon_area_ha
from cropbase.errors import InputError
from croplayer.active.checks import distance_m

# A degree of latitude is never shorter.
_METRES_A_DEGREE = 110_500


def with_fold_held_out(
    extents: gpd.GeoDataFrame, *, folds: int, fold: int, apart_m: float
) -> gpd.GeoDataFrame:
    """The extents with `split` set anew: those of fold `fold` for validation, the others to train.

    Parameters
    ----------
    extents : checked label extents, EPSG:4326.
    folds, fold : how many, and which one is held out, from 0.
    apart_m : extents nearer than this (or touching) stay in one fold, metres; chains count.

    The folds follow from the extents alone: groups, large ones first, go to the fold with the least
    area so far. Raises InputError for more folds than groups.
    """
    group = _groups(extents, apart_m)
    areas = np.array([polygon_area_ha(shape) for shape in extents.geometry])
    sizes = {number: areas[group == number].sum() for number in np.unique(group)}
    if len(sizes) < folds:
        raise InputError(
            "model_comparison.folds: more folds than groups of extents",
            given=f"{folds} folds, {len(sizes)} groups of extents at least {apart_m:g} m apart",
            remedy="set fewer folds, or draw extents in other places",
        )
    first = {n: min(extents.loc[group == n, "extent_id"].astype(str)) for n in sizes}
    filled = np.zeros(folds)
    chosen = {}
    for number in sorted(sizes, key=lambda n: (-round(sizes[n], 3), first[n])):
        chosen[number] = int(np.argmin(filled))
        filled[chosen[number]] += sizes[number]
    held_out = np.array([chosen[number] == fold for number in group])
    return extents.assign(split=np.where(held_out, "validation", "train"))


def _groups(extents: gpd.GeoDataFrame, apart_m: float) -> np.ndarray:
    """Number of the group of each extent."""
    shapes = extents.geometry.to_numpy()
    reach = apart_m / _METRES_A_DEGREE
    latitude = min(np.abs(shapely.bounds(shapes)[:, [1, 3]]).max() + reach, 89.0)
    # Degrees of longitude are shorter: the search may find too many, never too few.
    one, other = shapely.STRtree(shapes).query(
        shapes, predicate="dwithin", distance=reach / np.cos(np.radians(latitude))
    )
    near = [
        (i, j)
        for i, j in zip(one, other, strict=True)
        if i < j and distance_m(shapes[i], shapes[j]) <= apart_m
    ]
    # The same place labelled in two sources is one place.
    for rows in extents.groupby(extents["extent_id"].astype(str)).indices.values():
        near += list(pairwise(rows))
    i, j = np.array(near, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(shapes), len(shapes)))
    return connected_components(graph, directed=False)[1]

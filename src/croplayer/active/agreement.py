"""How far annotators agree on what two of them labelled: IoU of polygons, kappa of classes."""

from __future__ import annotations

from itertools import combinations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry
from sklearn.metrics import cohen_kappa_score

from cropbase.areas import polygon_area_ha
from croplayer.active.checks import shared_extents, texts
from croplayer.active.findings import Findings
from croplayer.active.tables import TABLES, last_words

COLUMNS = ("of", "where", "first", "second", "blocks", "shared_ha", "iou", "agreement", "kappa")
NOTHING = ""


def agreement_of_polygons(polygons: gpd.GeoDataFrame, extents: gpd.GeoDataFrame) -> pd.DataFrame:
    """A row for every two extents of different annotators that overlap, and one for each pair.

    Parameters
    ----------
    polygons, extents : cropland polygons and labelled extents in EPSG:4326, both with `annotator`
        (features without one take no part) and, optionally, `source` and `class`.

    Returns
    -------
    COLUMNS: `iou` of the cropland that both drew on the shared ground; `agreement`, the share of
    the ground to which both gave the same class (or none), and `kappa`, Cohen's kappa of these
    classes, both by area. A measure without a meaning (nothing drawn by either, only one class) is
    NaN. In the rows of a pair of annotators, `where` is "all".
    """
    rows, pooled = [], {}
    people, names = texts(extents, "annotator"), texts(extents, "extent_id")
    for i, j, ground in shared_extents(extents):
        one, other = people[i], people[j]
        pieces = _pieces(polygons, one, other, ground)
        if one > other:
            one, other, pieces = other, one, [(b, a, ha) for a, b, ha in pieces]
        rows.append(_by_area(f"{names[i]} and {names[j]}", one, other, 1, pieces))
        pooled.setdefault((one, other), []).append(pieces)
    for (one, other), groups in sorted(pooled.items()):
        pieces = [piece for group in groups for piece in group]
        rows.append(_by_area("all", one, other, len(groups), pieces))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def agreement_of_table(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """A row for each pair of annotators who labelled the same blocks of a table.

    Parameters
    ----------
    rows : faultless rows (`croplayer.active.tables.check_rows`) of table `name`. The last word of
        an annotator counts.

    Returns COLUMNS: `blocks` that both labelled, the share of equal labels, Cohen's kappa.
    """
    table, found = TABLES[name], []
    last = last_words(rows[rows["annotator"] != ""], name, Findings())
    wide = last.pivot(index=list(table.keys), columns="annotator", values=table.value)
    for one, other in combinations(sorted(wide.columns), 2):
        both = wide[[one, other]].dropna()
        if len(both):
            kappa = _kappa(both[one], both[other])
            equal = float((both[one] == both[other]).mean())
            found.append((name, "all", one, other, len(both), np.nan, np.nan, equal, kappa))
    return pd.DataFrame(found, columns=list(COLUMNS))


def _pieces(
    polygons: gpd.GeoDataFrame, one: str, other: str, ground: BaseGeometry
) -> list[tuple[str, str, float]]:
    """(class of one, class of the other, hectares) of the pieces that make up the shared ground."""
    near = polygons.iloc[polygons.sindex.query(ground, predicate="intersects")]
    drawn = [_by_class(near[texts(near, "annotator") == who], ground) for who in (one, other)]
    pieces = [
        (a, b, polygon_area_ha(shapely.intersection(shape, same)))
        for a, shape in drawn[0].items()
        for b, same in drawn[1].items()
    ]
    return [piece for piece in pieces if piece[2] > 0]


def _by_class(polygons: gpd.GeoDataFrame, ground: BaseGeometry) -> dict[str, BaseGeometry]:
    """What an annotator drew, a shape a class; what is left of the ground is NOTHING."""
    classes = texts(polygons, "class").replace("", "cropland")
    left, found = ground, {}
    for name in sorted(set(classes)):
        shape = shapely.union_all(polygons.geometry[classes == name].to_numpy())
        # A place of two classes counts once, for the first in the alphabet.
        found[name] = shapely.intersection(shape, left)
        left = shapely.difference(left, shape)
    return found | {NOTHING: left}


def _by_area(
    where: str, one: str, other: str, blocks: int, pieces: list[tuple[str, str, float]]
) -> tuple:
    first, second, hectares = (np.array(column) for column in zip(*pieces, strict=True))
    drawn = (first != NOTHING) | (second != NOTHING)
    both = (first != NOTHING) & (second != NOTHING)
    union = hectares[drawn].sum()
    return (
        "cropland",
        where,
        one,
        other,
        blocks,
        float(hectares.sum()),
        float(hectares[both].sum() / union) if union else np.nan,
        float(hectares[first == second].sum() / hectares.sum()),
        _kappa(first, second, hectares),
    )


def _kappa(first, second, weights=None) -> float:
    """Cohen's kappa; NaN where both gave one and the same class to everything."""
    if len({*first, *second}) < 2:
        return np.nan
    return float(cohen_kappa_score(list(first), list(second), sample_weight=weights))

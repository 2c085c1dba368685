"""What changed between two sets of labels: polygons, hectares, blocks by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cropbase.areas import polygon_area_ha
from croplayer.active.checks import texts
from croplayer.active.findings import Findings
from croplayer.active.lock import LabelPaths, feature_contents
from croplayer.active.readers import polygonal, read_vector
from croplayer.active.tables import TABLES, check_rows, read_rows, settle
from croplayer.settings.labels import KEYS

LAYERS = {"cropland": ("class", "polygon_id"), "extents": ("split", "extent_id")}
"""Layer -> the attribute that it is counted by, and the attribute that names a feature."""
COLUMNS = (
    *("labels", "class", "before", "after", "added", "removed", "changed"),
    *("before_ha", "after_ha", "added_ha", "removed_ha"),
)
SAME_POLYGON_IOU = 0.5


def compare_labels(
    before: Mapping[str, LabelPaths], after: Mapping[str, LabelPaths]
) -> pd.DataFrame:
    """What changed from one set of label files to another.

    Parameters
    ----------
    before, after : label files (or folders) by key; a key may be in one of them alone.

    Returns
    -------
    COLUMNS, a row for each key and class (split, for extents) and a row "all" a key: how many
    labels there were and are, how many were added, removed and changed, and hectares on the
    ellipsoid (NaN for tables of blocks). A polygon that is redrawn or gets other attributes is
    changed: it is the same one if its id is the same or, without ids, if both have an IoU of half
    or more. Changed labels count under their class afterwards.
    """
    parts = []
    for key in KEYS:
        if key not in before and key not in after:
            continue
        compare = _compare_layers if key in LAYERS else _compare_tables
        parts.append(compare(key, before.get(key), after.get(key)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _compare_layers(key: str, before: LabelPaths | None, after: LabelPaths | None) -> pd.DataFrame:
    old, new = _layer(key, before), _layer(key, after)
    gone, come, pairs = match(old, new)
    rows = []
    for name in ["all", *sorted({*old["class"], *new["class"]})]:
        was, now = (f["class"].isin([name]) | (name == "all") for f in (old, new))
        added, removed = now.loc[come], was.loc[gone]
        rows.append(
            {
                "labels": key,
                "class": name,
                "before": int(was.sum()),
                "after": int(now.sum()),
                "added": int(added.sum()),
                "removed": int(removed.sum()),
                "changed": int(now.loc[[j for _, j in pairs]].sum()),
                "before_ha": old["ha"][was].sum(),
                "after_ha": new["ha"][now].sum(),
                "added_ha": new["ha"].loc[come][added].sum(),
                "removed_ha": old["ha"].loc[gone][removed].sum(),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _layer(key: str, path: LabelPaths | None) -> gpd.GeoDataFrame:
    """class, id, ha, content and geometry (EPSG:4326, valid) of a layer's features."""
    if path is None:
        return gpd.GeoDataFrame({"class": [], "id": [], "ha": [], "content": []}, geometry=[])
    counted, named = LAYERS[key]
    frame = read_vector(path, key)
    content = feature_contents(frame)
    if frame.crs is not None:
        frame = frame.to_crs("EPSG:4326")
    shapes = [
        polygonal(shapely.make_valid(shape)) if shape is not None else shapely.Polygon()
        for shape in frame.geometry
    ]
    return gpd.GeoDataFrame(
        {
            "class": texts(frame, counted).replace("", "cropland" if key == "cropland" else "?"),
            "id": texts(frame, named),
            "ha": [polygon_area_ha(shape) for shape in shapes],
            "content": content,
        },
        geometry=shapes,
        crs="EPSG:4326",
    )


def match(
    old: gpd.GeoDataFrame, new: gpd.GeoDataFrame
) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """(removed, added, changed pairs) as row numbers; features alike in everything are in none."""
    same = Counter(old["content"]) & Counter(new["content"])
    gone, come = _without(old["content"], same), _without(new["content"], same)
    pairs = _by_id(old["id"], new["id"], gone, come)
    gone = [i for i in gone if i not in {i for i, _ in pairs}]
    come = [j for j in come if j not in {j for _, j in pairs}]
    near = _by_shape(old.geometry.to_numpy(), new.geometry.to_numpy(), gone, come)
    gone = [i for i in gone if i not in {i for i, _ in near}]
    come = [j for j in come if j not in {j for _, j in near}]
    return gone, come, sorted([*pairs, *near])


def _without(content: pd.Series, same: Counter) -> list[int]:
    left, rest = Counter(same), []
    for index, value in enumerate(content):
        if left[value]:
            left[value] -= 1
        else:
            rest.append(index)
    return rest


def _by_id(old: pd.Series, new: pd.Series, gone: list[int], come: list[int]) -> list:
    """Pairs of features of one id that is used once on either side."""
    once = [
        {name: rows[0] for name, rows in ids.groupby(ids).groups.items() if name and len(rows) == 1}
        for ids in (old.loc[gone], new.loc[come])
    ]
    return [(int(i), int(once[1][name])) for name, i in once[0].items() if name in once[1]]


def _by_shape(old: np.ndarray, new: np.ndarray, gone: list[int], come: list[int]) -> list:
    """Pairs of features of the largest IoU first, each feature once."""
    if not gone or not come:
        return []
    first, second = shapely.STRtree(new[come]).query(old[gone], predicate="intersects")
    shared = shapely.area(shapely.intersection(old[gone][first], new[come][second]))
    union = shapely.area(shapely.union(old[gone][first], new[come][second]))
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    pairs, used_old, used_new = [], set(), set()
    for k in np.argsort(-iou, kind="stable"):
        i, j = gone[first[k]], come[second[k]]
        if iou[k] >= SAME_POLYGON_IOU and i not in used_old and j not in used_new:
            pairs.append((i, j))
            used_old.add(i)
            used_new.add(j)
    return pairs


def _compare_tables(key: str, before: LabelPaths | None, after: LabelPaths | None) -> pd.DataFrame:
    old, new = _labels(key, before), _labels(key, after)
    both = old.index.intersection(new.index)
    changed = both[old.loc[both].to_numpy() != new.loc[both].to_numpy()]
    rows = []
    for name in ["all", *sorted({*old, *new})]:
        was, now = (s[(s == name) | (name == "all")].index for s in (old, new))
        rows.append(
            {
                "labels": key,
                "class": name,
                "before": len(was),
                "after": len(now),
                "added": len(now.difference(old.index)),
                "removed": len(was.difference(new.index)),
                "changed": len(now.intersection(changed)),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _labels(key: str, path: LabelPaths | None) -> pd.Series:
    """The settled label of each block (and source); rows with faults are left out."""
    table = TABLES[key]
    if path is None:
        return pd.Series(dtype="str")
    paths = [path] if not isinstance(path, list) else path
    rows = check_rows(read_rows(paths, key), key, planned=None, sources=None, findings=Findings())
    settled = settle(rows, key, Findings())
    names = settled[list(table.keys)].agg(" of ".join, axis=1) if len(settled) else []
    return pd.Series(settled[table.value].to_numpy(), index=pd.Index(names), dtype="str")

"""Repaired copies of label files, with a list of everything that was changed.

Only what has one right answer is mended: invalid geometry, features without geometry, polygons
drawn twice, overlaps (the later polygon loses what they share), slivers, the spelling of a value,
rows that say the same twice. The originals are never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cropbase.areas import polygon_area_ha
from cropbase.atomic import write_text
from cropbase.vectors import write_geopackage
from croplayer.active.checks import SAME_SHAPE, SAMPLES, SPLITS, overlapping, shared_extents, texts
from croplayer.active.readers import FEATURE, polygonal, read_vector
from croplayer.active.tables import TABLES, read_rows, spelling
from croplayer.settings.labels import LabelSettings

_COLUMNS = ("labels", "feature", "change", "before", "after")


@dataclass
class Changes:
    """What was changed, in order: key of the label file, feature, what was done, before, after."""

    rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(self, layer: str, feature: str, change: str, before: object, after: object) -> None:
        """Add one change."""
        self.rows.append((layer, feature, change, str(before), str(after)))

    def write(self, path: Path) -> None:
        """Write the list as CSV."""
        table = pd.DataFrame(self.rows, columns=list(_COLUMNS))
        write_text(path, table.to_csv(index=False, lineterminator="\n"))


def mend_labels(labels: LabelSettings, folder: Path) -> tuple[LabelSettings, Changes]:
    """Write repaired copies of the label files of which anything was repaired.

    Parameters
    ----------
    labels : the label files, which stay as they are.
    folder : receives `<key>.gpkg` or `<key>.csv` for each file that needed a repair (several files
        of a folder become one), and `changes.csv`, the list of all changes.

    Returns the label settings with the copies in the place of what was repaired, and the changes.
    Raises LabelFileError for files that cannot be read, LabelCrsError for a layer without a CRS in
    a folder of others.
    """
    changes, copies = Changes(), {}
    extents = None
    if labels.extents is not None:
        extents = _mended(labels.extents, "extents", changes)
        copies["extents"] = extents
    if labels.cropland is not None:
        drawn = _mended(labels.cropland, "cropland", changes, labels)
        copies["cropland"] = _without_overlaps(drawn, extents, labels, changes)
    for name in TABLES:
        path = getattr(labels, name)
        if path is not None and path.exists():
            copies[name] = _mended_rows(read_rows([path], name), name, changes)
    touched = {row[0] for row in changes.rows}
    written = {}
    for key, frame in copies.items():
        if key not in touched:
            continue
        written[key] = folder / f"{key}{'.csv' if key in TABLES else '.gpkg'}"
        if key in TABLES:
            text = frame.drop(columns=FEATURE).to_csv(index=False, lineterminator="\n")
            write_text(written[key], text)
        else:
            write_geopackage(frame.drop(columns=FEATURE), written[key])
    changes.write(folder / "changes.csv")
    return labels.model_copy(update=written), changes


def _mended(
    path: Path, layer: str, changes: Changes, labels: LabelSettings | None = None
) -> gpd.GeoDataFrame:
    """A layer with valid polygons and known spellings; what has no area is left out."""
    frame = read_vector(path, layer)
    shapes, keep = frame.geometry.to_numpy().copy(), np.ones(len(frame), dtype=bool)
    for index, (shape, feature) in enumerate(zip(shapes, frame[FEATURE], strict=True)):
        if shape is None or shape.is_empty:
            keep[index] = False
            changes.add(layer, feature, "left out", "no geometry", "")
        elif not shape.is_valid:
            shapes[index] = polygonal(shapely.make_valid(shape))
            keep[index] = not shapes[index].is_empty
            after = shapes[index].geom_type if keep[index] else "left out: no area"
            changes.add(layer, feature, "make_valid", shapely.is_valid_reason(shape), after)
    frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    frame = frame.loc[keep].reset_index(drop=True)
    known = {"split": SPLITS, "sample": SAMPLES}
    if labels is not None:
        known = {"class": (*labels.cropland_classes, *labels.other_classes)}
    for column, allowed in known.items():
        if column in frame.columns:
            spell = _speller(layer, column, allowed, changes)
            values = zip(frame[FEATURE], texts(frame, column), strict=True)
            frame[column] = [spell(feature, value) for feature, value in values]
    return frame


def _speller(
    layer: str, column: str, allowed: tuple[str, ...], changes: Changes
) -> Callable[[str, str], str]:
    def spell(feature: str, value: str) -> str:
        right = spelling(value, allowed)
        if right != value:
            changes.add(layer, feature, f"spelling of {column}", value, right)
        return right

    return spell


def _without_overlaps(
    drawn: gpd.GeoDataFrame,
    extents: gpd.GeoDataFrame | None,
    labels: LabelSettings,
    changes: Changes,
) -> gpd.GeoDataFrame:
    """Cropland without polygons drawn twice, overlaps and slivers; unchanged without a CRS."""
    if drawn.crs is None or drawn.empty:
        return drawn
    degrees = drawn.to_crs("EPSG:4326")
    is_crop = ~texts(drawn, "class").isin(labels.other_classes).to_numpy()
    doubly = shapely.Polygon()
    if extents is not None and extents.crs is not None:
        ground = shared_extents(extents.to_crs("EPSG:4326"))
        doubly = shapely.union_all([part for *_, part in ground])
    crop = degrees.loc[is_crop].reset_index(drop=True)
    shapes, keep = crop.geometry.to_numpy().copy(), np.ones(len(crop), dtype=bool)
    cut = np.zeros(len(crop), dtype=bool)
    names = crop[FEATURE]
    for i, j, part in zip(*overlapping(crop, doubly), strict=True):
        if not (keep[i] and keep[j]):
            continue
        areas = [polygon_area_ha(crop.geometry.iloc[k]) for k in (i, j)]
        if polygon_area_ha(part) / max(*areas, 1e-12) > SAME_SHAPE:
            keep[j] = False
            changes.add("cropland", names[j], "left out", f"drawn twice, as {names[i]}", "")
            continue
        before, rest = polygon_area_ha(shapes[j]), polygonal(shapely.difference(shapes[j], part))
        shapes[j], cut[j] = rest, True
        change = f"cut where {names[i]} lies"
        after = f"{polygon_area_ha(rest):.6f} ha"
        changes.add("cropland", names[j], change, f"{before:.6f} ha", after)
    for index in np.flatnonzero(keep):
        area = polygon_area_ha(shapes[index]) * 10_000
        if area < labels.min_area_m2:
            keep[index] = False
            changes.add("cropland", names[index], "left out", f"sliver of {area:.2f} m2", "")
    return _put_back(drawn, crop.set_geometry(gpd.GeoSeries(shapes, crs=4326)), is_crop, keep, cut)


def _put_back(
    drawn: gpd.GeoDataFrame,
    crop: gpd.GeoDataFrame,
    is_crop: np.ndarray,
    keep: np.ndarray,
    cut: np.ndarray,
) -> gpd.GeoDataFrame:
    """The layer in its own CRS: polygons that were cut take their new shape, no other does."""
    shapes, kept = drawn.geometry.to_numpy().copy(), np.ones(len(drawn), dtype=bool)
    places = np.flatnonzero(is_crop)
    shapes[places[cut]] = crop.geometry[cut].to_crs(drawn.crs).to_numpy()
    kept[places] = keep
    mended = drawn.set_geometry(gpd.GeoSeries(shapes, index=drawn.index, crs=drawn.crs))
    return mended.loc[kept].reset_index(drop=True)


def _mended_rows(rows: pd.DataFrame, name: str, changes: Changes) -> pd.DataFrame:
    table = TABLES[name]
    spell = _speller(name, table.value, table.allowed, changes)
    values = zip(rows[FEATURE], rows[table.value], strict=True)
    rows[table.value] = [spell(feature, value) for feature, value in values]
    again = rows.duplicated([column for column in rows.columns if column != FEATURE])
    for feature in rows.loc[again, FEATURE]:
        changes.add(name, feature, "left out", "repeats an earlier row", "")
    return rows.loc[~again].reset_index(drop=True)

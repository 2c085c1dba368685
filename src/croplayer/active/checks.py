"""The checks of label layers, each adding what it finds to `Findings`.

All layers are in EPSG:4326 here, with valid polygons (`croplayer.active.readers.clean_layer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from cropbase.areas import FLATTENING, M2_PER_HA, SEMI_MAJOR_M, polygon_area_ha
from croplayer.active.findings import Findings
from croplayer.active.readers import FEATURE
from croplayer.active.times import times_of

SPLITS = ("train", "validation")
SAMPLES = ("positive", "negative")
SAME_SHAPE = 0.999
"""Two polygons that share more than this of the larger one are the same drawn twice."""
_GEOD = Geod(a=SEMI_MAJOR_M, f=FLATTENING)
_METRES_PER_DEGREE = 111_320.0


def texts(frame: gpd.GeoDataFrame, column: str) -> pd.Series:
    """An attribute as stripped text; an absent column or a null is the empty text."""
    if column not in frame.columns:
        return pd.Series([""] * len(frame), index=frame.index, dtype="str")
    values = frame[column]
    if pd.api.types.is_datetime64_any_dtype(values):
        whole_days = (values.dropna() == values.dropna().dt.normalize()).all()
        values = values.dt.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%dT%H:%M:%S%z")
    elif pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        # A column of whole numbers with a gap comes as float; people wrote 7, not 7.0.
        values = values.astype("Int64")
    return values.astype("object").where(values.notna(), "").map(str).str.strip().astype("str")


def check_classes(
    polygons: gpd.GeoDataFrame,
    *,
    cropland: Sequence[str],
    other: Sequence[str],
    findings: Findings,
) -> np.ndarray:
    """Check `class` of the cropland polygons. Returns (polygons,) bool: all but those of `other`.

    An empty class is cropland; a class of `other` is known and left out; any other is a fault, but
    such a polygon goes on to the other checks, so that all its faults are told at once.
    """
    values = texts(polygons, "class")
    for feature, value in zip(polygons[FEATURE], values, strict=True):
        if value in other:
            findings.info("not_cropland", "cropland", feature, f"class {value!r}", "left out")
        elif value and value not in cropland:
            findings.error(
                "attribute",
                "cropland",
                feature,
                f"unknown class {value!r}; allowed: {', '.join([*cropland, *other])}",
            )
    return ~values.isin(other).to_numpy()


def check_sources(
    frame: gpd.GeoDataFrame, layer: str, *, sources: Iterable[str] | None, findings: Findings
) -> None:
    """Check attribute `source` against the sources of the configuration, where these are known."""
    if sources is None:
        return
    allowed = list(sources)
    for feature, value in zip(frame[FEATURE], texts(frame, "source"), strict=True):
        if value and value not in allowed:
            findings.error(
                "attribute",
                layer,
                feature,
                f"unknown source {value!r}; allowed: {', '.join(allowed)}, or empty for all",
            )


def check_extent_attributes(
    extents: gpd.GeoDataFrame, findings: Findings, *, for_training: bool = True
) -> None:
    """Check `extent_id` (there, not empty, not doubled) and `split` (train or validation).

    With `for_training` there must be an extent of split `train`.
    The layer is taken as it was read: features that other checks refuse count here.
    """
    if extents.empty:
        return
    for column, meaning in (("extent_id", "a name of each extent"), ("split", " or ".join(SPLITS))):
        if column not in extents.columns:
            given = ", ".join(c for c in extents.columns if c not in ("geometry", FEATURE))
            findings.error(
                "attribute",
                "extents",
                findings.files["extents"].name,
                f"has no attribute {column!r} ({meaning}); given: {given or 'no attributes'}",
            )
    if "extent_id" in extents.columns:
        ids = texts(extents, "extent_id")
        for feature in extents.loc[ids == "", FEATURE]:
            findings.error("attribute", "extents", feature, "extent_id is empty")
        for value in sorted(set(ids[ids.duplicated() & (ids != "")])):
            where = ", ".join(extents.loc[ids == value, FEATURE])
            findings.error("doubled_id", "extents", value, f"extent_id of {where}")
    if "split" in extents.columns:
        splits = texts(extents, "split")
        for feature, value in zip(extents[FEATURE], splits, strict=True):
            if value not in SPLITS:
                findings.error(
                    "attribute",
                    "extents",
                    feature,
                    f"split is {value!r}; allowed: {', '.join(SPLITS)}",
                )
        if for_training and not (splits == "train").any():
            findings.error(
                "attribute", "extents", "split", "no extent is for training (split = train)"
            )
        if not (splits == "validation").any():
            findings.warning(
                "no_validation",
                "extents",
                "split",
                "no extent is held out, so no accuracy can be measured",
                "nothing",
            )


def check_slivers(
    polygons: gpd.GeoDataFrame, *, min_area_m2: float, findings: Findings
) -> np.ndarray:
    """Warn of polygons below `min_area_m2`, which are kept. Returns (polygons,) areas in m2."""
    areas = np.array([polygon_area_ha(p) * M2_PER_HA for p in polygons.geometry])
    for index in np.flatnonzero(areas < min_area_m2):
        findings.warning(
            "sliver",
            "cropland",
            polygons[FEATURE].iloc[index],
            f"{areas[index]:.2f} m2, below labels.min_area_m2 = {min_area_m2:g}",
            "kept",
        )
    return areas


def check_overlaps(
    polygons: gpd.GeoDataFrame,
    areas_m2: np.ndarray,
    *,
    tolerance_m2: float,
    refuse: bool,
    doubly: BaseGeometry,
    findings: Findings,
) -> None:
    """List pairs of cropland polygons that overlap; larger than the tolerance is an error.

    Two that are the same shape are called drawn twice. Polygons drawn for two different sources may
    overlap, and so may those of two annotators inside `doubly`, the ground that both labelled.
    With `refuse` false all are warnings.
    """
    first, second, shared = overlapping(polygons, doubly)
    for i, j, part in zip(first, second, shared, strict=True):
        area = polygon_area_ha(part) * M2_PER_HA
        share = area / max(min(areas_m2[i], areas_m2[j]), 1e-9)
        twice = area / max(areas_m2[i], areas_m2[j], 1e-9) > SAME_SHAPE
        kind = "double" if twice else "overlap"
        names = f"{polygons[FEATURE].iloc[i]} and {polygons[FEATURE].iloc[j]}"
        what = f"overlap by {area:.1f} m2, {min(share, 1):.1%} of the smaller"
        if refuse and area > tolerance_m2:
            findings.error(kind, "cropland", names, what)
        else:
            findings.warning(kind, "cropland", names, what, "kept: the union counts once")


def overlapping(
    polygons: gpd.GeoDataFrame, doubly: BaseGeometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of polygons (i, j), i < j, that overlap and may not, and what they share."""
    shapes, sources = polygons.geometry.to_numpy(), texts(polygons, "source").to_numpy()
    people = texts(polygons, "annotator").to_numpy()
    first, second = _pairs(shapes)
    same = (sources[first] == sources[second]) | (sources[first] == "") | (sources[second] == "")
    first, second = first[same], second[same]
    shared = shapely.intersection(shapes[first], shapes[second])
    two = (people[first] != people[second]) & (people[first] != "") & (people[second] != "")
    if two.any():
        shared[two] = shapely.difference(shared[two], doubly)
    # Neighbours that share an edge meet in a line: no area, nothing to say.
    some = shapely.area(shared) * _METRES_PER_DEGREE**2 > 0.01
    return first[some], second[some], shared[some]


def shared_extents(
    extents: gpd.GeoDataFrame, tolerance_m2: float = 0.0
) -> list[tuple[int, int, BaseGeometry]]:
    """Pairs of extents that two annotators labelled for one source, and the shared ground."""
    shapes, sources = extents.geometry.to_numpy(), texts(extents, "source").to_numpy()
    people = texts(extents, "annotator").to_numpy()
    found = []
    for i, j in zip(*_pairs(shapes), strict=True):
        if sources[i] != sources[j] or people[i] == people[j] or not (people[i] and people[j]):
            continue
        part = shapely.intersection(shapes[i], shapes[j])
        if polygon_area_ha(part) * M2_PER_HA > tolerance_m2:
            found.append((int(i), int(j), part))
    return found


def check_in_blocks(
    extents: gpd.GeoDataFrame, blocks: np.ndarray, findings: Findings, *, plan: str
) -> None:
    """Every extent must share area with a planned block (`blocks`: polygons, EPSG:4326)."""
    tree = shapely.STRtree(blocks)
    for feature, name, shape in zip(
        extents[FEATURE], texts(extents, "extent_id"), extents.geometry, strict=True
    ):
        near = blocks[tree.query(shape, predicate="intersects")]
        inside = shapely.intersection(shape, shapely.union_all(near)).area if len(near) else 0.0
        label = f"{name or 'extent'} ({feature})"
        if inside <= 0:
            west, south, east, north = shape.bounds
            findings.error(
                "outside_blocks",
                "extents",
                label,
                f"longitude {west:.4f} to {east:.4f}, latitude {south:.4f} to {north:.4f}"
                f" meets none of the {len(blocks)} blocks of {plan}",
            )
        elif inside < shape.area * (1 - 1e-6):
            findings.warning(
                "outside_blocks",
                "extents",
                label,
                f"{1 - inside / shape.area:.1%} of it lies outside the planned blocks",
                "that part has no imagery and is not used",
            )


def check_in_extents(
    polygons: gpd.GeoDataFrame, extents: gpd.GeoDataFrame, findings: Findings
) -> np.ndarray:
    """Warn of polygons that share no area with any extent. Returns (polygons,) bool: which do."""
    inside = np.zeros(len(polygons), dtype=bool)
    if len(extents) and len(polygons):
        shapes, areas = polygons.geometry.to_numpy(), extents.geometry.to_numpy()
        hit, area = shapely.STRtree(areas).query(shapes, predicate="intersects")
        inside[hit[~shapely.touches(shapes[hit], areas[area])]] = True
        if not inside.any():
            findings.error(
                "outside_extents",
                "cropland",
                findings.files["cropland"].name,
                f"all {len(polygons)} polygons lie outside every extent",
            )
    for feature in polygons.loc[~inside, FEATURE]:
        findings.warning(
            "outside_extents", "cropland", feature, "no part of it lies in an extent", "left out"
        )
    return inside


def check_samples(
    extents: gpd.GeoDataFrame, polygons: gpd.GeoDataFrame, findings: Findings
) -> None:
    """Check `sample`, where given: a positive extent has cropland, a negative one has not."""
    shapes, tree = polygons.geometry.to_numpy(), shapely.STRtree(polygons.geometry.to_numpy())
    samples, names = texts(extents, "sample"), texts(extents, "extent_id")
    for feature, name, sample, extent in zip(
        extents[FEATURE], names, samples, extents.geometry, strict=True
    ):
        label = f"{name or 'extent'} ({feature})"
        near = tree.query(extent, predicate="intersects")
        drawn = int(np.count_nonzero(~shapely.touches(shapes[near], extent)))
        if sample and sample not in SAMPLES:
            what = f"sample is {sample!r}; allowed: {', '.join(SAMPLES)}, or empty"
            findings.error("attribute", "extents", label, what)
        elif (sample == "positive" and not drawn) or (sample == "negative" and drawn):
            findings.error("sample", "extents", label, f"{sample}, but {drawn} polygons lie in it")


def check_times(frame: gpd.GeoDataFrame, layer: str, findings: Findings) -> None:
    """`labelled_at`, or the older `date` where that is absent, must be an ISO 8601 date or time."""
    times_of(
        pd.DataFrame({"labelled_at": written_at(frame), FEATURE: frame[FEATURE]}), layer, findings
    )


def written_at(frame: gpd.GeoDataFrame) -> pd.Series:
    """When each feature was labelled, as text: `labelled_at`, else the older attribute `date`."""
    times = texts(frame, "labelled_at")
    return times.where(times != "", texts(frame, "date"))


def check_leakage(
    extents: gpd.GeoDataFrame, *, least_metres: float, tolerance_m2: float, findings: Findings
) -> None:
    """Training and validation extents must not overlap, nor lie closer than `least_metres`.

    The source does not matter: the same ground seen by two sources is still the same ground.
    Extents of one split and one source that overlap are listed as labelled more than once.
    """
    shapes = extents.geometry.to_numpy()
    splits, sources = texts(extents, "split").to_numpy(), texts(extents, "source").to_numpy()
    people = texts(extents, "annotator").to_numpy()
    names = [
        f"{name or 'extent'} ({feature})"
        for name, feature in zip(texts(extents, "extent_id"), extents[FEATURE], strict=True)
    ]
    for i, j in zip(*_pairs(shapes, within_metres=least_metres), strict=True):
        pair = f"{names[i]} and {names[j]}"
        shared = polygon_area_ha(shapely.intersection(shapes[i], shapes[j])) * M2_PER_HA
        if splits[i] == splits[j]:
            if shared > tolerance_m2 and sources[i] == sources[j]:
                two = people[i] != people[j] and people[i] and people[j]
                done = "the union is learned, the agreement is reported" if two else "both are used"
                tell = findings.info if two else findings.warning
                tell("double_labelled", "extents", pair, f"share {shared:.0f} m2", done)
        elif shared > tolerance_m2:
            findings.error(
                "leakage", "extents", pair, f"{splits[i]} and {splits[j]} share {shared:.0f} m2"
            )
        elif least_metres > 0:
            distance = distance_m(shapes[i], shapes[j])
            if distance < least_metres:
                findings.error(
                    "leakage",
                    "extents",
                    pair,
                    f"{splits[i]} and {splits[j]} are {distance:.1f} m apart, below"
                    f" labels.leakage_metres = {least_metres:g}",
                )


def distance_m(one: BaseGeometry, other: BaseGeometry) -> float:
    """Distance of two shapes in EPSG:4326 that lie near one another, metres on the ellipsoid.

    The nearest points are found in degrees scaled to metres at their latitude, which is exact
    enough for shapes some tens of kilometres apart; the distance of the points is geodesic.
    """
    latitude = (one.centroid.y + other.centroid.y) / 2
    stretch = np.array([np.cos(np.radians(latitude)), 1.0])
    flat = [shapely.transform(shape, lambda xy: xy * stretch) for shape in (one, other)]
    line = shapely.shortest_line(*flat)
    (x1, y1), (x2, y2) = shapely.get_coordinates(line) / stretch
    return float(_GEOD.inv(x1, y1, x2, y2)[2])


def _pairs(shapes: np.ndarray, within_metres: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j), i < j, sorted, of shapes that intersect or may lie within a distance."""
    if len(shapes) < 2:
        return np.array([], dtype=int), np.array([], dtype=int)
    search = shapes
    if within_metres > 0:
        bounds = shapely.bounds(shapes)
        # A degree of latitude is never shorter than 110.5 km; rounding up only adds candidates.
        dy = within_metres / 110_500
        dx = dy / np.cos(np.radians(np.minimum(np.abs(bounds[:, [1, 3]]).max(axis=1) + dy, 89)))
        search = shapely.box(
            bounds[:, 0] - dx, bounds[:, 1] - dy, bounds[:, 2] + dx, bounds[:, 3] + dy
        )
    first, second = shapely.STRtree(shapes).query(search, predicate="intersects")
    pairs = np.unique(np.sort(np.c_[first, second][first != second], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]

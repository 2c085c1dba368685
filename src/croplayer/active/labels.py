"""Import of labels: read what people drew, check it, and write what training may use."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cropbase.areas import polygon_area_ha
from cropbase.tables import read_geotable, write_table
from croplayer.active import checks
from croplayer.active.agreement import agreement_of_polygons
from croplayer.active.findings import Findings
from croplayer.active.lock import verify_lock
from croplayer.active.readers import FEATURE, clean_layer, read_vector
from croplayer.grid import BlockGrid
from croplayer.settings.labels import LabelSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layers:
    """Label layers in EPSG:4326 as far as they are without fault, and what was found out of them.

    drawn : cropland polygons. extents : labelled extents. polygon_ids, area_m2, inside :
    (polygons,) names, areas, and whether a polygon meets an extent.
    """

    drawn: gpd.GeoDataFrame
    extents: gpd.GeoDataFrame
    polygon_ids: pd.Series
    area_m2: np.ndarray
    inside: np.ndarray


def import_labels(
    *,
    cropland: Path | Sequence[Path],
    extents: Path | Sequence[Path],
    blocks: Path,
    grid: BlockGrid,
    settings: LabelSettings,
    polygons_out: Path,
    extents_out: Path,
    report: Path,
    page: Path | None = None,
    sources: Iterable[str] | None = None,
    for_training: bool = True,
    lock: Path | None = None,
) -> None:
    """Check the label files and write them in EPSG:4326.

    Parameters
    ----------
    cropland : vector files of cropland polygons; attributes `class`, `source`, `polygon_id`,
        `annotator`, `labelled_at` (or the older `date`) are all optional.
    extents : vector files of the areas labelled completely; attributes `extent_id` and `split`
        (train, validation), optional `sample`, `source`, `annotator`, `labelled_at`.
    blocks : `plan/blocks.parquet`.
    grid : the grid of the plan.
    settings : which faults are refused and which are repaired.
    sources : names of the imagery sources, against which the attribute `source` is checked.
    for_training : whether a model is trained on these labels, so that an extent of split `train`
        is needed; False where another province lends its model.
    polygons_out : GeoParquet of the cropland polygons that meet an extent: polygon_id, class,
        source, annotator, labelled_at (text), area_ha, geometry.
    extents_out : GeoParquet, a row an extent: extent_id, split, source, annotator, labelled_at
        (text), area_ha, cropland_ha (union of the polygons inside), polygons (count), geometry.
    report : every finding with severity, kind, layer, feature, what, and what was done; .csv,
        .parquet or .html.
    page : the same for the browser, with the agreement of annotators.
    lock : the lock that the label files must still be those of, before and after they are read.

    Raises one LabelError with all faults of both files (its subclass where all are of one kind),
    LabelLockError where the labels changed since they were locked. Nothing is written then. What
    was reprojected, repaired, left out or merely looks odd is in the report and, a line a kind, in
    the log as a warning.
    """
    files = {"cropland": cropland, "extents": extents}
    findings = Findings(files={key: _name_of(value) for key, value in files.items()})
    plan = read_geotable(blocks)
    planned = np.array([grid.polygon(grid.parse_block_id(name)) for name in plan["block_id"]])
    layers = check_layers(
        **files,
        planned=planned,
        plan=str(blocks),
        settings=settings,
        sources=sources,
        for_training=for_training,
        findings=findings,
    )
    findings.raise_errors()
    # What was read is what was locked: the content is compared after reading, not before.
    if lock is not None:
        verify_lock(lock=lock, files=files)
    drawn = layers.drawn
    polygons = gpd.GeoDataFrame(
        {
            "polygon_id": layers.polygon_ids,
            "class": checks.texts(drawn, "class").replace("", "cropland"),
            **{name: checks.texts(drawn, name) for name in ("source", "annotator")},
            "labelled_at": checks.written_at(drawn),
            "area_ha": layers.area_m2 / 10_000,
        },
        geometry=drawn.geometry.to_numpy(),
        crs="EPSG:4326",
    ).loc[layers.inside]
    polygons = polygons.sort_values("polygon_id", kind="stable").reset_index(drop=True)
    labelled = _describe(layers.extents, polygons)
    for split, group in labelled.groupby("split"):
        findings.info(
            "summary",
            "extents",
            split,
            f"{len(group)} extents, {group['area_ha'].sum():.1f} ha,"
            f" {group['cropland_ha'].sum():.1f} ha of cropland,"
            f" {(group['polygons'] == 0).sum()} negative (without cropland)",
        )
    findings.info("summary", "cropland", polygons_out.name, f"{len(polygons)} polygons")
    findings.log()
    write_table(polygons, polygons_out)
    write_table(labelled, extents_out)
    findings.write(Path(report))
    if page is not None:
        findings.write(Path(page), agreement=agreement_of_polygons(drawn, layers.extents))


def check_layers(
    *,
    cropland: Path | Sequence[Path],
    extents: Path | Sequence[Path],
    planned: np.ndarray,
    plan: str,
    settings: LabelSettings,
    sources: Iterable[str] | None,
    for_training: bool,
    findings: Findings,
) -> Layers:
    """Read both layers and make every check, adding what is found to `findings`.

    Parameters
    ----------
    planned : (blocks,) polygons in EPSG:4326; `plan` is what messages call them. The others are
        those of `import_labels`.
    """
    drawn, areas = read_vector(cropland, "cropland"), read_vector(extents, "extents")
    checks.check_extent_attributes(areas, findings, for_training=for_training)
    repair, files = settings.repair, findings.files
    drawn = clean_layer(drawn, files["cropland"], "cropland", repair=repair, findings=findings)
    areas = clean_layer(areas, files["extents"], "extents", repair=repair, findings=findings)
    for frame, layer in ((drawn, "cropland"), (areas, "extents")):
        checks.check_sources(frame, layer, sources=sources, findings=findings)
        checks.check_times(frame, layer, findings)
    checks.check_in_blocks(areas, planned, findings, plan=plan)
    checks.check_leakage(
        areas,
        least_metres=settings.leakage_metres,
        tolerance_m2=settings.overlap_tolerance_m2,
        findings=findings,
    )
    is_cropland = checks.check_classes(
        drawn,
        cropland=settings.cropland_classes,
        other=settings.other_classes,
        findings=findings,
    )
    drawn = drawn.loc[is_cropland].reset_index(drop=True)
    polygon_ids = _polygon_ids(drawn, findings)
    area_m2 = checks.check_slivers(drawn, min_area_m2=settings.min_area_m2, findings=findings)
    checks.check_overlaps(
        drawn,
        area_m2,
        tolerance_m2=settings.overlap_tolerance_m2,
        refuse=settings.on_overlap == "refuse" and not settings.repair,
        doubly=shapely.union_all([part for *_, part in checks.shared_extents(areas)]),
        findings=findings,
    )
    checks.check_samples(areas, drawn, findings)
    inside = checks.check_in_extents(drawn, areas, findings)
    return Layers(drawn, areas, polygon_ids, area_m2, inside)


def _name_of(files: Path | Sequence[Path]) -> Path:
    """What messages call the files of a layer: the file, or the folder of several."""
    if isinstance(files, str | Path):
        return Path(files)
    return Path(files[0]) if len(files) == 1 else Path(files[0]).parent


def _polygon_ids(drawn: gpd.GeoDataFrame, findings: Findings) -> pd.Series:
    """The attribute `polygon_id`, or the name of the feature in its file where there is none."""
    ids = checks.texts(drawn, "polygon_id")
    ids = ids.where(ids != "", drawn[FEATURE].astype("str"))
    for value in sorted(set(ids[ids.duplicated()])):
        where = ", ".join(drawn.loc[ids == value, FEATURE])
        findings.error("doubled_id", "cropland", value, f"polygon_id of {where}")
    return ids


def _describe(areas: gpd.GeoDataFrame, polygons: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The extents with their areas and the cropland inside, sorted by extent_id."""
    shapes = polygons.geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    sources = polygons["source"].to_numpy()
    own = checks.texts(areas, "source").to_numpy()
    counts, cropland = [], []
    for source, extent in zip(own, areas.geometry, strict=True):
        near = np.sort(tree.query(extent, predicate="intersects"))
        near = near[(sources[near] == "") | (sources[near] == source) | (source == "")]
        near = near[~shapely.touches(shapes[near], extent)]
        counts.append(len(near))
        union = shapely.intersection(shapely.union_all(shapes[near]), extent)
        cropland.append(polygon_area_ha(union))
    table = gpd.GeoDataFrame(
        {
            **{
                name: checks.texts(areas, name)
                for name in ("extent_id", "split", "source", "annotator")
            },
            "labelled_at": checks.written_at(areas),
            "area_ha": [polygon_area_ha(extent) for extent in areas.geometry],
            "cropland_ha": cropland,
            "polygons": np.array(counts, dtype=np.int64),
        },
        geometry=areas.geometry.to_numpy(),
        crs="EPSG:4326",
    )
    return table.sort_values("extent_id", kind="stable").reset_index(drop=True)

"""Vector files as people make them, read into EPSG:4326."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from shapely.errors import GEOSException

from cropbase.errors import InputError
from cropbase.vectors import to_degrees
from croplayer.active.findings import (
    KINDS,
    Findings,
    LabelCrsError,
    LabelFileError,
    LabelGeometryError,
)

SUFFIXES = (".csv", ".gpkg", ".shp", ".geojson", ".parquet", ".geoparquet")
"""What is taken for a label file in a folder; a file that is named itself may have any suffix."""

FEATURE = "_feature"
"""Name of the column that says how a feature is called in messages."""


def label_files(path: Path) -> list[Path]:
    """The files that a path of `labels` stands for: itself, or the label files of a folder, sorted.

    Raises LabelFileError for a folder without label files. A path that does not exist is returned:
    whoever reads it says so.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != ".")
    if not found:
        raise LabelFileError(f"the folder {path} has no label file", allowed=", ".join(SUFFIXES))
    return found


def read_vector(path: Path | Sequence[Path], layer: str) -> gpd.GeoDataFrame:
    """Read vector files as they are: own CRS, own attributes, names of columns in lower case.

    Parameters
    ----------
    path : shapefile, GeoPackage, GeoJSON, GeoParquet, or whatever GDAL reads; a folder of such
        files, or a list of them.
    layer : what it holds (`cropland`, `extents`); of several layers in a file the one of this name
        is read.

    Returns
    -------
    The features in file order with a column `_feature` of text: `fid 7` (the number that QGIS
    shows), or `row 7` for formats without numbers; of several files with the name of the file
    before it. Several files of different CRS come in EPSG:4326.

    Raises LabelFileError if a file is absent, unreadable, or has several layers of other names.
    """
    files = label_files(path) if isinstance(path, str | Path) else [Path(p) for p in path]
    frames = [_read_file(file, layer) for file in files]
    if len(frames) == 1:
        return frames[0]
    for file, frame in zip(files, frames, strict=True):
        frame[FEATURE] = f"{file.name} " + frame[FEATURE]
    systems = {frame.crs for frame in frames}
    if None in systems and len(systems) > 1:
        # Taken together they would get the CRS of the others.
        bare = next(f for f, frame in zip(files, frames, strict=True) if frame.crs is None)
        raise LabelCrsError(
            f"the file of labels.{layer}, {bare}, says no coordinate reference system",
            remedy=KINDS["crs"].remedy,
        )
    if len(systems) > 1:
        frames = [
            to_degrees(frame, what=f"the file of labels.{layer}, {file}", error=LabelCrsError)
            for file, frame in zip(files, frames, strict=True)
        ]
    return pd.concat(frames, ignore_index=True)


def _read_file(path: Path, layer: str) -> gpd.GeoDataFrame:
    if not path.exists():
        raise LabelFileError(
            f"the file of labels.{layer}, {path}, does not exist",
            remedy=f"check labels.{layer} of the configuration",
        )
    try:
        if path.suffix.lower() in (".parquet", ".geoparquet"):
            frame = gpd.read_parquet(path)
            frame[FEATURE] = [f"row {index}" for index in range(len(frame))]
        else:
            frame = pyogrio.read_dataframe(
                path, layer=_layer_of(path, layer), fid_as_index=True, force_2d=True
            )
            frame[FEATURE] = [f"fid {index}" for index in frame.index]
    except InputError:
        raise
    except GEOSException as error:
        raise LabelGeometryError(
            f"the file of labels.{layer}, {path}, has geometries that are none",
            given=f"{error}; {_unreadable_features(path, layer)}",
            remedy="delete these features, or draw them anew with three corners at least",
        ) from None
    except Exception as error:  # GDAL and Arrow raise a dozen kinds for a damaged file
        raise LabelFileError(
            f"the file of labels.{layer}, {path}, cannot be read as vector data",
            given=error,
            allowed="shapefile, GeoPackage, GeoJSON, GeoParquet",
            remedy="open it in QGIS; if that works, export it to a GeoPackage",
        ) from None
    if not isinstance(frame, gpd.GeoDataFrame):
        raise LabelFileError(
            f"the file of labels.{layer}, {path}, has no geometries",
            given="a table of attributes",
            remedy="give the file of the polygons; of a shapefile the .shp, not the .dbf",
        )
    if frame.geometry.name != "geometry":
        frame = frame.rename_geometry("geometry")
    frame.columns = [str(column).lower() for column in frame.columns]
    frame = frame.loc[:, ~frame.columns.duplicated()].reset_index(drop=True)
    flat = shapely.force_2d(frame.geometry.to_numpy())
    return frame.set_geometry(gpd.GeoSeries(flat, index=frame.index, crs=frame.crs))


def _unreadable_features(path: Path, layer: str) -> str:
    """The numbers of the features whose geometry cannot be read."""
    if path.suffix.lower() in (".parquet", ".geoparquet"):
        return "the numbers of the features are not known"
    frame = pyogrio.read_dataframe(
        path, layer=_layer_of(path, layer), columns=[], fid_as_index=True, on_invalid="ignore"
    )
    bare = frame.index[frame.geometry.isna()]
    return ", ".join(f"fid {index}" for index in bare[:10]) + (", ..." if len(bare) > 10 else "")


def _layer_of(path: Path, layer: str) -> str:
    """The layer to read: the only one, or the one called `layer`."""
    names = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    if len(names) == 1:
        return names[0]
    if layer in names:
        return layer
    raise LabelFileError(
        f"the file of labels.{layer}, {path}, has {len(names)} layers",
        given=", ".join(names) or "none",
        allowed=f"one layer, or several of which one is called {layer!r}",
        remedy="save the layer to a file of its own (QGIS: Export > Save Features As)",
    )


def clean_layer(
    frame: gpd.GeoDataFrame, path: Path, layer: str, *, repair: bool, findings: Findings
) -> gpd.GeoDataFrame:
    """Check CRS and geometries of a layer and bring it to EPSG:4326.

    Features without geometry are left out with a warning. Invalid geometries are errors, or with
    `repair` are mended by make_valid (polygonal parts kept). Features with errors stay out of what
    is returned, so that later checks can still be made on the rest.
    """
    if frame.empty:
        findings.error("file", layer, path.name, "the layer has no features")
        return frame
    if frame.crs is None:
        findings.error("crs", layer, path.name, "the file says no coordinate reference system")
        return frame.iloc[:0].set_crs("EPSG:4326")
    missing = np.asarray(frame.geometry.isna() | frame.geometry.is_empty)
    for feature in frame.loc[missing, FEATURE]:
        findings.warning("no_geometry", layer, feature, "no geometry", "left out")
    frame = frame.loc[~missing].reset_index(drop=True)
    if frame.empty:
        findings.error("file", layer, path.name, "none of the features has a geometry")
        return frame
    wrong = ~frame.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy()
    for feature, name in zip(frame.loc[wrong, FEATURE], frame.geom_type[wrong], strict=True):
        findings.error("geometry_type", layer, feature, f"given {name}")
    frame = frame.loc[~wrong].reset_index(drop=True)
    frame = _valid(frame, layer, repair=repair, findings=findings)
    return _to_degrees(frame, path, layer, findings=findings)


def _valid(
    frame: gpd.GeoDataFrame, layer: str, *, repair: bool, findings: Findings
) -> gpd.GeoDataFrame:
    bad = ~frame.geometry.is_valid.to_numpy()
    if not bad.any():
        return frame
    shapes = frame.geometry.to_numpy().copy()
    keep = np.ones(len(frame), dtype=bool)
    # The reason is given in the file's own coordinates: that is where one looks for it in QGIS.
    for index in np.flatnonzero(bad):
        reason = shapely.is_valid_reason(shapes[index])
        feature = frame[FEATURE].iloc[index]
        if not repair:
            findings.error("invalid_geometry", layer, feature, reason)
            keep[index] = False
            continue
        mended = polygonal(shapely.make_valid(shapes[index]))
        if mended.is_empty:
            findings.warning("invalid_geometry", layer, feature, reason, "left out: no area")
            keep[index] = False
        else:
            findings.warning("invalid_geometry", layer, feature, reason, "repaired by make_valid")
            shapes[index] = mended
    frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    return frame.loc[keep].reset_index(drop=True)


def _to_degrees(
    frame: gpd.GeoDataFrame, path: Path, layer: str, *, findings: Findings
) -> gpd.GeoDataFrame:
    if frame.crs.to_epsg() != 4326:
        name = f"EPSG:{frame.crs.to_epsg()}" if frame.crs.to_epsg() else frame.crs.name
        findings.warning(
            "crs", layer, path.name, f"coordinates are in {name}", "reprojected to EPSG:4326"
        )
        frame = to_degrees(frame, what=f"the file of labels.{layer}, {path}", error=LabelCrsError)
    bounds = frame.bounds.to_numpy()
    # Written as "inside" and negated, so that coordinates that became NaN count as outside.
    inside = (
        (bounds[:, 0] >= -180)
        & (bounds[:, 1] >= -90)
        & (bounds[:, 2] <= 180)
        & (bounds[:, 3] <= 90)
    )
    for index in np.flatnonzero(~inside):
        west, south, east, north = bounds[index]
        findings.error(
            "crs",
            layer,
            frame[FEATURE].iloc[index],
            f"longitude {west:.3f} to {east:.3f}, latitude {south:.3f} to {north:.3f} is no place",
        )
    frame = frame.loc[inside].reset_index(drop=True)
    broken = ~frame.geometry.is_valid.to_numpy()
    if broken.any():
        # Valid in its own CRS, so only rounding of nearly touching edges: nothing for people to do.
        shapes = frame.geometry.to_numpy().copy()
        for index in np.flatnonzero(broken):
            shapes[index] = polygonal(shapely.make_valid(shapes[index]))
            findings.warning(
                "invalid_geometry",
                layer,
                frame[FEATURE].iloc[index],
                "edges cross by a rounding after reprojection",
                "repaired by make_valid",
            )
        frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs="EPSG:4326"))
    return frame


def polygonal(geometry: shapely.Geometry) -> shapely.Geometry:
    """The polygonal parts of a geometry: a Polygon or MultiPolygon, empty if it has no area."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(geometry)
    if geometry.geom_type == "GeometryCollection":
        parts = shapely.get_parts(parts)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])

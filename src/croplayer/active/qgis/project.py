"""The project: imagery, prediction, mask, chosen blocks, and empty layers to label in."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pyogrio

from cropbase.atomic import atomic_path
from cropbase.rasters import open_raster
from croplayer.active.choosing.reasons import REASONS
from croplayer.active.qgis import layers
from croplayer.active.qgis.forms import SUGGESTED, cropland_fields, extent_fields
from croplayer.active.qgis.label_layers import write_label_layer
from croplayer.active.qgis.layers import Bounds, Layer
from croplayer.active.qgis.virtual import write_vrt
from croplayer.active.qgis.xml import node, to_text
from croplayer.grid import BlockGrid
from croplayer.grid.rasters import raster_window
from croplayer.segmentation.inference import SCALE
from croplayer.settings.labels import LabelSettings

VERSION = "3.22.16-Białowieża"
"""The version of QGIS whose project files these are like."""
_TIP = """<b>[% "rank" %]. [% "block_id" %]</b>, [% "source" %], [% "stratum" %]<br>[% "reasons" %]
<br><img src="file:///[% @project_folder %]/thumbnails/[% "block_id" %].png" width="700">"""


def write_project(
    *,
    chosen: Path,
    suggested: Path,
    mosaics: Mapping[str, Sequence[Path]],
    probability: Mapping[str, Sequence[Path]],
    masks: Mapping[str, Sequence[Path]],
    grid: BlockGrid,
    labels: LabelSettings,
    label_round: int,
    title: str,
    project: Path,
    virtual: Path,
    new_labels: Path,
) -> None:
    """Write a QGIS project (.qgz) that opens ready for labelling. All its paths are relative.

    Parameters
    ----------
    chosen, suggested : what `choose_blocks` wrote, beside the project.
    mosaics, probability, masks : source -> rasters of its shards.
    labels : the allowed classes, and the label files so far (shown, not to be edited).
    label_round : number of the round that the labels so far belong to.
    virtual : folder for the virtual rasters, one a source and stage.
    new_labels : folder for `round_<n>/cropland.gpkg` and `extents.gpkg` of the next round; written
        empty where they do not exist, and never touched where they do.
    """
    sources = list(mosaics)
    home = project.parent
    folder = new_labels / f"round_{label_round + 1}"
    view = _view(chosen, next(iter(mosaics.values())), grid)
    rasters = {"mosaic": mosaics, "probability": probability, "mask": masks}
    prediction, imagery = _raster_layers(rasters, grid, virtual, home)
    groups = {
        "Label here": _label_layers(folder, labels, sources, home, view),
        "What to label": _chosen_layers(chosen, suggested, home, view),
        "Labels so far": _labels_so_far(labels, home, view),
        "Prediction": prediction,
        "Imagery": imagery,
    }
    document = _document({name: part for name, part in groups.items() if part}, title, view)
    text = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + to_text(document)
    with atomic_path(project) as path, zipfile.ZipFile(path, "w") as archive:
        # A fixed date: the same project gives the same bytes.
        entry = zipfile.ZipInfo(f"{project.stem}.qgs", date_time=(2000, 1, 1, 0, 0, 0))
        archive.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)


def _view(chosen: Path, mosaics: Sequence[Path], grid: BlockGrid) -> Bounds:
    """Where the map opens: at the chosen blocks, or at the imagery where none was chosen."""
    info = pyogrio.read_info(chosen, force_total_bounds=True)
    if info["features"]:
        return tuple(float(value) for value in info["total_bounds"])
    with open_raster(mosaics[0]) as dataset:
        return grid.window_bounds(raster_window(dataset, grid))


def _label_layers(
    folder: Path, labels: LabelSettings, sources: list[str], home: Path, view: Bounds
) -> list[Layer]:
    forms = {
        "extents": (extent_fields(sources), "areas in which all cropland is drawn"),
        "cropland": (cropland_fields(labels, sources), "cropland polygons"),
    }
    styles = {
        "extents": layers.outline("204,0,0,255", 0.8),
        "cropland": layers.outline("255,255,0,255", 0.5, fill="255,255,0,40"),
    }
    made = []
    for name, (fields, description) in forms.items():
        path = folder / f"{name}.gpkg"
        write_label_layer(path, fields, description)
        made.append(
            layers.vector_layer(
                f"draw_here_{name}",
                f"{name} (draw here)",
                f"{_relative(path, home)}|layername={name}",
                view,
                styles[name],
                fields=fields,
            )
        )
    return made


def _chosen_layers(chosen: Path, suggested: Path, home: Path, view: Bounds) -> list[Layer]:
    colours = {name: (_rgba(colour), text) for name, (colour, text) in REASONS.items()}
    return [
        layers.vector_layer(
            SUGGESTED,
            "suggested extents",
            f"{_relative(suggested, home)}|layername={suggested.stem}",
            view,
            layers.outline("0,255,255,255", 0.5),
            read_only=True,
        ),
        layers.vector_layer(
            "chosen_blocks",
            "chosen blocks",
            f"{_relative(chosen, home)}|layername={chosen.stem}",
            view,
            layers.by_value("reason", colours, 0.8),
            read_only=True,
            label="rank",
            tip=_TIP,
        ),
    ]


def _labels_so_far(labels: LabelSettings, home: Path, view: Bounds) -> list[Layer]:
    styles = {
        "extents": layers.outline("255,255,255,255", 0.4),
        "cropland": layers.outline("255,200,120,255", 0.3),
    }
    files = {name: getattr(labels, name) for name in styles}
    return [
        layers.vector_layer(
            f"drawn_so_far_{name}",
            f"{name} so far",
            _relative(path, home),
            view,
            styles[name],
            read_only=True,
        )
        for name, path in files.items()
        # QGIS reads GeoParquet only where its GDAL was built with Arrow.
        if path is not None and Path(path).exists() and Path(path).suffix != ".parquet"
    ]


def _raster_layers(
    rasters: Mapping[str, Mapping[str, Sequence[Path]]], grid: BlockGrid, virtual: Path, home: Path
) -> tuple[list[Layer], list[Layer]]:
    """(masks and probabilities, imagery) of every source; at first only A's imagery is shown."""
    prediction, imagery = [], []
    for source in rasters["mosaic"]:
        placed = {}
        for stage, files in rasters.items():
            file = virtual / f"{stage}_{source}.vrt"
            window = write_vrt(file, files[source], grid)
            placed[stage] = (_relative(file, home), grid.window_bounds(window))
        for stage, style in (("mask", _mask_style()), ("probability", _probability_style())):
            layer_id, name = f"cropland_{stage}_{source}", f"{stage} {source}"
            prediction.append(
                layers.raster_layer(layer_id, name, *placed[stage], style, shown=False)
            )
        imagery.append(
            layers.raster_layer(
                f"imagery_mosaic_{source}",
                f"imagery {source}",
                *placed["mosaic"],
                layers.true_colour(),
                shown=not imagery,
            )
        )
    return prediction, imagery


def _mask_style() -> ElementTree.Element:
    return layers.classes({1: ("#4a8c38", "cropland")}, opacity=0.5)


def _probability_style() -> ElementTree.Element:
    stops = {
        0: ("#440154", "0"),
        SCALE // 4: ("#3b528b", "0.25"),
        SCALE // 2: ("#21918c", "0.5"),
        3 * SCALE // 4: ("#5ec962", "0.75"),
        SCALE: ("#fde725", "1"),
    }
    return layers.ramp(stops, opacity=0.7)


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5)) + ",255"


def _relative(path: Path, home: Path) -> str:
    """Relative to the project, as QGIS writes it."""
    relative = Path(os.path.relpath(path, home)).as_posix()
    return relative if relative.startswith(".") else f"./{relative}"


def _document(
    groups: Mapping[str, Sequence[Layer]], title: str, view: Bounds
) -> ElementTree.Element:
    every = [layer for part in groups.values() for layer in part]
    west, south, east, north = view
    edges = {"xmin": west, "ymin": south, "xmax": east, "ymax": north}
    extent = node("extent", *(node(name, repr(value)) for name, value in edges.items()))
    return node(
        "qgis",
        node("title", title),
        node("projectCrs", layers.reference_system()),
        node("layer-tree-group", *(_group(name, part) for name, part in groups.items())),
        node("mapcanvas", node("units", "degrees"), extent, name="theMapCanvas"),
        node("projectlayers", *(layer.element for layer in every)),
        node("layerorder", *(node("layer", id=layer.id) for layer in every)),
        node(
            "properties",
            node("Paths", node("Absolute", "false", type="bool")),
            node("SpatialRefSys", node("ProjectionsEnabled", "1", type="int")),
        ),
        node(
            "ProjectViewSettings",
            node("DefaultViewExtent", layers.reference_system(), **edges),
            UseProjectScales=0,
        ),
        projectname=title,
        version=VERSION,
    )


def _group(name: str, part: Sequence[Layer]) -> ElementTree.Element:
    members = [
        node(
            "layer-tree-layer",
            id=layer.id,
            name=layer.name,
            source=layer.source,
            providerKey=layer.provider,
            checked="Qt::Checked" if layer.shown else "Qt::Unchecked",
            expanded=0,
        )
        for layer in part
    ]
    return node("layer-tree-group", *members, name=name, checked="Qt::Checked", expanded=1)

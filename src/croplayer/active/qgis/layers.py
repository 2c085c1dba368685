"""Layers of a QGIS project, with their styles and forms, as QGIS 3 writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree

from pyproj import CRS

from croplayer.active.qgis.forms import Field
from croplayer.active.qgis.xml import node, option, options

Bounds = tuple[float, float, float, float]
"""(west, south, east, north), degrees."""
NOT_NULL, UNIQUE, EXPRESSION = 1, 2, 4
"""QgsFieldConstraints."""


@dataclass(frozen=True)
class Layer:
    """A layer of the project: its id, name, relative path, provider, element, and if it is shown.

    QGIS gives a layer another id if its own has ten letters or fewer.
    """

    id: str
    name: str
    source: str
    provider: str
    element: ElementTree.Element
    shown: bool = True


def reference_system() -> ElementTree.Element:
    """EPSG:4326."""
    return node(
        "spatialrefsys",
        node("wkt", _wkt()),
        node("proj4", "+proj=longlat +datum=WGS84 +no_defs"),
        node("srsid", "3452"),
        node("srid", "4326"),
        node("authid", "EPSG:4326"),
        node("description", "WGS 84"),
        node("projectionacronym", "longlat"),
        node("ellipsoidacronym", "EPSG:7030"),
        node("geographicflag", "true"),
        nativeFormat="Wkt",
    )


@cache
def _wkt() -> str:
    return CRS.from_epsg(4326).to_wkt("WKT2_2019")


def _maplayer(
    kind: str, layer_id: str, name: str, source: str, provider: str, bounds: Bounds, **attributes
) -> ElementTree.Element:
    edges = [
        node(tag, repr(value))
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True)
    ]
    return node(
        "maplayer",
        node("extent", *edges),
        node("id", layer_id),
        node("datasource", source),
        node("layername", name),
        node("srs", reference_system()),
        node("provider", provider, **({"encoding": "UTF-8"} if provider == "ogr" else {})),
        type=kind,
        styleCategories="AllStyleCategories",
        hasScaleBasedVisibilityFlag=0,
        **attributes,
    )


# ---------------------------------------------------------------------------------------- rasters
def raster_layer(
    layer_id: str,
    name: str,
    source: str,
    bounds: Bounds,
    renderer: ElementTree.Element,
    *,
    shown: bool = True,
) -> Layer:
    """A raster with the given renderer."""
    element = _maplayer("raster", layer_id, name, source, "gdal", bounds)
    element.append(
        node(
            "pipe",
            node("provider"),
            renderer,
            node("brightnesscontrast", brightness=0, contrast=0, gamma=1),
            node("huesaturation", saturation=0, grayscaleMode=0, colorizeOn=0, invertColors=0),
            node("rasterresampler", maxOversampling=2),
            node("resamplingStage", "resamplingFilter"),
        )
    )
    return Layer(layer_id, name, source, "gdal", element, shown)


def true_colour() -> ElementTree.Element:
    """Bands 1, 2, 3 as they are; the mask, which QGIS shows as band 4, makes pixels transparent."""
    bands = {f"{colour}Band": k for k, colour in enumerate(("red", "green", "blue"), start=1)}
    return node(
        "rasterrenderer",
        node("rasterTransparency"),
        type="multibandcolor",
        opacity=1,
        alphaBand=4,
        nodataColor="",
        **bands,
    )


def classes(colours: Mapping[int, tuple[str, str]], opacity: float) -> ElementTree.Element:
    """Value -> (colour, label); values that are not named are transparent."""
    entries = [
        node("paletteEntry", value=value, color=colour, label=label, alpha=255)
        for value, (colour, label) in colours.items()
    ]
    return node(
        "rasterrenderer",
        node("colorPalette", *entries),
        type="paletted",
        opacity=opacity,
        alphaBand=-1,
        band=1,
        nodataColor="",
    )


def ramp(stops: Mapping[float, tuple[str, str]], opacity: float) -> ElementTree.Element:
    """Value -> (colour, label), interpolated between."""
    items = [
        node("item", value=value, color=colour, label=label, alpha=255)
        for value, (colour, label) in stops.items()
    ]
    shader = node(
        "colorrampshader",
        *items,
        colorRampType="INTERPOLATED",
        classificationMode=1,
        clip=0,
        minimumValue=min(stops),
        maximumValue=max(stops),
    )
    return node(
        "rasterrenderer",
        node("rastershader", shader),
        type="singlebandpseudocolor",
        opacity=opacity,
        alphaBand=-1,
        band=1,
        nodataColor="",
        classificationMin=min(stops),
        classificationMax=max(stops),
    )


# ---------------------------------------------------------------------------------------- vectors
def vector_layer(
    layer_id: str,
    name: str,
    source: str,
    bounds: Bounds,
    renderer: ElementTree.Element,
    *,
    fields: Sequence[Field] = (),
    read_only: bool = False,
    label: str = "",
    tip: str = "",
    shown: bool = True,
) -> Layer:
    """Polygons with the given renderer.

    Parameters
    ----------
    fields : form and constraints of a layer to draw in.
    label : attribute that is written on each polygon.
    tip : HTML shown when the pointer rests on a polygon, with [% expressions %].
    """
    element = _maplayer(
        "vector",
        layer_id,
        name,
        source,
        "ogr",
        bounds,
        geometry="Polygon",
        labelsEnabled=bool(label),
        readOnly=read_only,
    )
    element.append(renderer)
    if label:
        element.append(_labeling(label))
    element.append(node("layerOpacity", "1"))
    element.extend(_form(fields))
    element.append(node("editorlayout", "generatedlayout"))
    element.append(node("mapTip", tip))
    return Layer(layer_id, name, source, "ogr", element, shown)


def outline(colour: str, width_mm: float, *, fill: str = "0,0,0,0") -> ElementTree.Element:
    """One symbol for all polygons; colours as `red,green,blue,alpha`."""
    return node(
        "renderer-v2",
        node("symbols", _fill_symbol("0", colour, width_mm, fill)),
        type="singleSymbol",
        symbollevels=0,
        forceraster=0,
        enableorderby=0,
    )


def by_value(
    attribute: str, colours: Mapping[str, tuple[str, str]], width_mm: float
) -> ElementTree.Element:
    """A symbol a value of an attribute: value -> (outline colour, label)."""
    categories = [
        node("category", symbol=k, value=value, label=text, render="true")
        for k, (value, (_, text)) in enumerate(colours.items())
    ]
    symbols = [
        _fill_symbol(str(k), colour, width_mm, "0,0,0,0")
        for k, (colour, _) in enumerate(colours.values())
    ]
    return node(
        "renderer-v2",
        node("categories", *categories),
        node("symbols", *symbols),
        type="categorizedSymbol",
        attr=attribute,
        symbollevels=0,
        forceraster=0,
        enableorderby=0,
    )


def _fill_symbol(name: str, colour: str, width_mm: float, fill: str) -> ElementTree.Element:
    values = options(
        color=fill,
        style="solid",
        outline_color=colour,
        outline_style="solid",
        outline_width=width_mm,
        outline_width_unit="MM",
        joinstyle="miter",
    )
    simple = node("layer", values, class_="SimpleFill", enabled=1, locked=0)
    simple.set("pass", "0")
    return node("symbol", simple, type="fill", name=name, alpha=1, clip_to_extent=1, force_rhr=0)


def _labeling(attribute: str) -> ElementTree.Element:
    style = node(
        "text-style",
        node("text-buffer", bufferDraw=1, bufferSize=1, bufferColor="255,255,255,255"),
        fieldName=attribute,
        isExpression=0,
        fontSize=11,
        fontSizeUnit="Point",
        textColor="20,20,20,255",
    )
    return node("labeling", node("settings", style), type="simple")


def _form(fields: Sequence[Field]) -> list[ElementTree.Element]:
    """Widgets, names, defaults and constraints of the fields."""
    widgets = [
        node(
            "field",
            node("editWidget", node("config", config), type=kind),
            name=field.name,
            configurationFlags="None",
        )
        for field in fields
        for kind, config in [_widget(field)]
    ]
    return [
        node("fieldConfiguration", *widgets),
        node(
            "aliases",
            *(node("alias", field=f.name, name=f.title, index=k) for k, f in _numbered(fields)),
        ),
        node(
            "defaults",
            *(node("default", field=f.name, expression=f.default, applyOnUpdate=0) for f in fields),
        ),
        node("constraints", *(_constraint(field) for field in fields)),
        node(
            "constraintExpressions",
            *(node("constraint", field=f.name, exp=_allowed(f), desc=f.hint) for f in fields),
        ),
    ]


def _numbered(fields: Sequence[Field]):
    """Fields with their numbers; 0 is the feature id of the GeoPackage."""
    return enumerate(fields, start=1)


def _widget(field: Field) -> tuple[str, ElementTree.Element]:
    if not field.values:
        return "TextEdit", options(IsMultiline="false", UseHtml="false")
    pairs = [
        node("Option", option(value or "(every source)", value), type="Map")
        for value in field.values
    ]
    listed = node("Option", *pairs, name="map", type="List")
    return "ValueMap", node("Option", listed, type="Map")


def _constraint(field: Field) -> ElementTree.Element:
    kinds = NOT_NULL * field.required + UNIQUE * field.unique + EXPRESSION * bool(_allowed(field))
    return node(
        "constraint",
        field=field.name,
        constraints=kinds,
        # 1: a hard constraint, without which QGIS does not save the feature.
        notnull_strength=int(field.required),
        unique_strength=int(field.unique),
        exp_strength=int(bool(_allowed(field))),
    )


def _allowed(field: Field) -> str:
    """QGIS expression that is true for an allowed value."""
    if not field.values:
        return f'length("{field.name}") > 0' if field.required else ""
    listed = ", ".join(f"'{value}'" for value in field.values)
    inside = f'"{field.name}" in ({listed})'
    return inside if field.required else f'"{field.name}" is null or {inside}'

"""What the map of a page shows, as the plain values that `atlas.js` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from cropbase.atlas.pyramid import Pyramid, TileLayer
from cropbase.figures import Extent

DIGITS = 5
"""Decimals of degrees in outlines: about a metre."""


@dataclass(frozen=True)
class Entry:
    """A line of a legend; `top` ends a ramp that begins at zero."""

    text: str
    colours: tuple[str, ...]


@dataclass(frozen=True)
class RasterLayer:
    """A map of tiles.

    Parameters
    ----------
    tiles : how they are drawn. title : in the list of layers.
    group : heading under which it is listed; of the group "Imagery" one is seen at a time.
    choice : values of the group's choices (crop, system, year) where a group has too many maps to
        list them; all layers of such a group have a choice.
    """

    tiles: TileLayer
    title: str
    group: str
    legend: tuple[Entry, ...] = ()
    attribution: str = ""
    shown: bool = False
    choice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outline:
    """Polygons drawn as lines.

    `facts` are rows of (name, value) for each polygon, shown when it is pointed at in the list of
    what lies at a place.
    """

    key: str
    title: str
    frame: gpd.GeoDataFrame
    name_column: str
    colour: str
    width: float = 1.5
    dashes: str = ""
    shown: bool = True
    facts: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class BlockView:
    """A colouring of the blocks: by classes, or by shades of a number.

    Parameters
    ----------
    values : (blocks,) class of each block, or a number; None where nothing is known.
    classes : class -> (words, colour); empty for numbers.
    shades : colours from `low` to `high`.
    """

    key: str
    title: str
    values: Sequence[Any]
    classes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    shades: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Fact:
    """A line of a block's table: (columns, blocks) values, one column or one for each head."""

    title: str
    unit: str
    columns: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Blocks:
    """Cells of a regular grid of degrees, counted from 90 N, 180 W; `word`: what one is called."""

    size_degrees: float
    ids: Sequence[str]
    rows: Sequence[int]
    cols: Sequence[int]
    views: Sequence[BlockView]
    heads: Sequence[str]
    facts: Sequence[Fact]
    word: str = "Block"


def map_data(
    *,
    bounds: Extent,
    folder: str,
    pyramid: Pyramid,
    layers: Sequence[RasterLayer],
    outlines: Sequence[Outline],
    blocks: Blocks | None = None,
    choices: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The values of a map.

    Parameters
    ----------
    bounds : west, south, east, north of what is seen first, degrees.
    folder : of the tiles, relative to the page.
    choices : group -> names of its choices, in the order of `RasterLayer.choice`.
    """
    index = pyramid.index()
    return {
        "bounds": [round(float(value), DIGITS) for value in bounds],
        "folder": folder,
        "zooms": list(pyramid.zooms),
        "choices": {group: list(names) for group, names in (choices or {}).items()},
        "layers": [
            {
                "key": layer.tiles.key,
                "title": layer.title,
                "group": layer.group,
                "shown": layer.shown,
                "attribution": layer.attribution,
                "choice": list(layer.choice),
                "legend": [[entry.text, list(entry.colours)] for entry in layer.legend],
                "tiles": index[layer.tiles.key],
            }
            for layer in layers
        ],
        "outlines": [_outline(outline) for outline in outlines],
        "blocks": None if blocks is None else _blocks(blocks),
    }


def _outline(outline: Outline) -> dict[str, Any]:
    # Rounding may make edges cross; the lines look the same.
    shapes = shapely.set_precision(
        outline.frame.geometry.to_numpy(), 10.0**-DIGITS, mode="pointwise"
    )
    facts = outline.facts or [{}] * len(shapes)
    return {
        "key": outline.key,
        "title": outline.title,
        "colour": outline.colour,
        "width": outline.width,
        "dashes": outline.dashes,
        "shown": outline.shown,
        "features": [
            {
                "name": str(name),
                "facts": [[key, plain(value)] for key, value in rows.items()],
                "geometry": json.loads(shapely.to_geojson(shape)),
            }
            for name, rows, shape in zip(
                outline.frame[outline.name_column], facts, shapes, strict=True
            )
        ],
    }


def _blocks(blocks: Blocks) -> dict[str, Any]:
    return {
        "word": blocks.word,
        "size": blocks.size_degrees,
        "ids": list(blocks.ids),
        "rows": [int(row) for row in blocks.rows],
        "cols": [int(col) for col in blocks.cols],
        "heads": list(blocks.heads),
        "facts": [
            [fact.title, fact.unit, [_packed(column) for column in fact.columns]]
            for fact in blocks.facts
        ],
        "views": [_view(view) for view in blocks.views],
    }


def _view(view: BlockView) -> dict[str, Any]:
    value: dict[str, Any] = {"key": view.key, "title": view.title, "unit": view.unit}
    if view.classes:
        codes = {name: code for code, name in enumerate(view.classes)}
        value["classes"] = [list(pair) for pair in view.classes.values()]
        value["values"] = [codes.get(name) for name in view.values]
    else:
        value |= {"shades": list(view.shades), "low": view.low, "high": view.high}
        value["values"] = [plain(number) for number in view.values]
    return value


def _packed(column: Sequence[Any]) -> Any:
    """A column of words as [words, numbers of words]; a column of numbers as it is."""
    values = [plain(value) for value in column]
    if not any(isinstance(value, str) for value in values):
        return values
    words = sorted({value for value in values if isinstance(value, str)})
    place = {word: code for code, word in enumerate(words)}
    return {"words": words, "values": [None if v is None else place[v] for v in values]}


def plain(value: Any) -> Any:
    """A value as JSON holds it: numbers to four digits, None for what is not known."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return value or None
    number = float(value)
    if not np.isfinite(number):
        return None
    if number.is_integer():
        return int(number)
    return round(number) if abs(number) >= 10_000 else float(f"{number:.4g}")

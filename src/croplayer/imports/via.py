"""Polygons drawn in the VGG Image Annotator (VIA), in pixels of their images.

Format: https://www.robots.ox.ac.uk/~vgg/software/via/ (versions 1 and 2). Pixel coordinates have
their origin in the upper left corner of the image, x to the right, y downward.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from cropbase.errors import InputError
from cropbase.texts import read_text

_CIRCLE_SEGMENTS = 16  # a quarter circle; 64 corners leave 0.2 % of the area out
_SHOWN = 10


class ViaError(InputError):
    """A VIA file is damaged, or holds what cannot become a polygon."""


@dataclass(frozen=True)
class ViaRegion:
    """One region as drawn. `number` counts from 0 within its image; the shape may be invalid."""

    number: int
    shape: shapely.Polygon
    attributes: dict[str, Any]


def read_via(path: Path) -> dict[str, list[ViaRegion]]:
    """Read the regions of a VIA file: annotations (JSON export) or a whole VIA 2 project.

    Shapes `polygon`, `rect`, `circle` and `ellipse` become polygons in pixel coordinates.

    Returns the regions by file name of the image, sorted by that name; images without regions have
    an empty list. Raises ViaError, naming image and region, for a file that is absent or is not
    VIA, for points and lines, for coordinates that are no numbers, and for polygons of fewer than
    three points; all such faults in one message.
    """
    path = Path(path)
    images = _entries(path)
    faults: list[str] = []
    result: dict[str, list[ViaRegion]] = {}
    for key, entry in images.items():
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            faults.append(f"image {key!r}: no filename")
            continue
        if name in result:
            faults.append(f"image {name}: appears twice")
            continue
        regions = entry.get("regions", [])
        # VIA 1 wrote the regions as a mapping from numbers, VIA 2 writes a list.
        regions = list(regions.values()) if isinstance(regions, dict) else regions
        if not isinstance(regions, list):
            faults.append(f"image {name}: its regions are no list")
            continue
        result[name] = []
        for number, region in enumerate(regions):
            try:
                result[name].append(_region(number, region))
            except (KeyError, TypeError, ValueError) as error:
                reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
                faults.append(f"image {name}, region {number}: {reason}")
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise ViaError(
            f"VIA annotations {path} have {len(faults)} fault(s)\n  "
            + "\n  ".join(faults[:_SHOWN] + more),
            allowed="regions of shape polygon, rect, circle, ellipse",
            remedy="mend these regions in VIA and export the annotations as JSON again",
        )
    return dict(sorted(result.items()))


def _entries(path: Path) -> dict[str, Any]:
    remedy = "export from VIA: Annotation > Export Annotations (as JSON)"
    text = read_text(path, what="VIA annotations", error=ViaError)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ViaError(f"VIA annotations {path} are not JSON", given=error, remedy=remedy) from None
    if isinstance(content, dict) and "_via_img_metadata" in content:
        content = content["_via_img_metadata"]
    if not isinstance(content, dict) or not content:
        raise ViaError(
            f"VIA annotations {path} hold no images",
            given=type(content).__name__,
            allowed="a JSON object with an entry for each image",
            remedy=remedy,
        )
    return content


def _region(number: int, region: dict[str, Any]) -> ViaRegion:
    """One region; KeyError, TypeError or ValueError with the reason if it cannot be a polygon."""
    if not isinstance(region, dict):
        raise TypeError("it is no JSON object")
    shape = region["shape_attributes"]
    name = shape["name"]
    if name == "polygon":
        xs, ys = _numbers(shape["all_points_x"]), _numbers(shape["all_points_y"])
        if len(xs) != len(ys):
            raise ValueError(f"{len(xs)} x but {len(ys)} y coordinates")
        if len(set(zip(xs, ys, strict=True))) < 3:
            raise ValueError("fewer than three different points")
        polygon = shapely.Polygon(np.c_[xs, ys])
    elif name == "rect":
        x, y, width, height = _numbers([shape[key] for key in ("x", "y", "width", "height")])
        polygon = shapely.box(x, y, x + width, y + height)
    elif name in ("circle", "ellipse"):
        keys = ("r", "r") if name == "circle" else ("rx", "ry")
        x, y, rx, ry = _numbers([shape[key] for key in ("cx", "cy", *keys)])
        (theta,) = _numbers([shape.get("theta", 0)])
        unit = shapely.Point(0, 0).buffer(1, quad_segs=_CIRCLE_SEGMENTS)
        c, s = np.cos(theta), np.sin(theta)
        turn = np.array([[c, s], [-s, c]])
        polygon = shapely.transform(unit, lambda xy: (xy * [rx, ry]) @ turn + [x, y])
    else:
        raise ValueError(f"shape {name!r} has no area")
    attributes = region.get("region_attributes") or {}
    return ViaRegion(number, polygon, attributes if isinstance(attributes, dict) else {})


def _numbers(values: Any) -> list[float]:
    if not isinstance(values, list):
        raise TypeError("its coordinates are no list")
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        raise TypeError("its coordinates are not all numbers")
    if not np.isfinite(values).all():
        raise ValueError("its coordinates are not all finite")
    return [float(value) for value in values]

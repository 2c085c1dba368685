"""The files of a product as a user has them: tiles in folders, VRTs, zips."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import rasterio
from pyproj import CRS
from rasterio.warp import transform_bounds

from cropbase.config import files_named
from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.settings.products import MAX_CODE, Product, ProductRaster

_RASTERS = (".tif", ".tiff")
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?:\d{4})?(?!\d)")
_SAME = 1e-4
"""Largest relative difference of two pixel sizes that counts as rounding."""


@dataclass(frozen=True)
class ProductFile:
    """One raster of a product, not opened.

    name : what GDAL opens; bounds : west, south, east, north in EPSG:4326, degrees.
    """

    name: str
    bounds: tuple[float, float, float, float]


def find_files(name: str, product: Product, patterns: Iterable[str]) -> list[Path]:
    """The files of the patterns of `comparison.products.<name>.files`, in their order, each once.

    Raises InputError, with the place where the product is offered, if a pattern finds none.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        text = pattern if "/" in pattern else f"./{pattern}"
        matches = [path] if path.is_file() else [Path(match) for match in files_named(text)]
        if not matches:
            raise InputError(
                f"comparison.products.{name}.files: no file matches {pattern!r}",
                given=f"looked in {Path.cwd()}",
                remedy=f"fetch {product.title} ({product.access}): {product.record}"
                + (", or set `download: true`" if product.download else ""),
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def open_names(paths: Sequence[Path]) -> Iterator[str]:
    """What GDAL opens: the files themselves, and every GeoTIFF inside a zip.

    Raises InputError for a zip that cannot be read or holds no GeoTIFF.
    """
    for path in paths:
        if path.suffix.lower() != ".zip":
            yield str(path)
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                members = [n for n in archive.namelist() if n.lower().endswith(_RASTERS)]
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(
                f"zip {path} cannot be read", given=error, remedy="download it anew"
            ) from None
        if not members:
            raise InputError(f"zip {path} holds no GeoTIFF", allowed="a zip as it was published")
        for member in sorted(members):
            yield f"/vsizip/{path}/{member}"


def look_at(paths: Sequence[Path]) -> list[ProductFile]:
    """Where each raster of `paths` lies; only headers are read.

    Raises InputError for a file that is no raster with a CRS and classes of one byte.
    """
    files = []
    for name in open_names(paths):
        with open_raster(name) as dataset:
            if dataset.count != 1:
                raise InputError(
                    f"raster {name} is no map of classes",
                    given=f"{dataset.count} bands",
                    allowed="one band of codes",
                    remedy="give the map of classes itself, not a coloured picture of it",
                )
            if dataset.dtypes[0] != "uint8":
                raise InputError(
                    f"raster {name} is no map of classes",
                    given=f"values of type {dataset.dtypes[0]}",
                    allowed="codes of one byte (uint8)",
                    remedy="convert a map of classes with `gdal_translate -ot Byte`",
                )
            if dataset.transform.b or dataset.transform.d:
                raise InputError(
                    f"raster {name} is rotated", remedy="make it north-up with `gdalwarp`"
                )
            bounds = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
            files.append(ProductFile(name, bounds))
    return files


def findings_of(product: ProductRaster, dataset: rasterio.DatasetReader) -> list[str]:
    """What is odd about one open file of a product, in sentences without the file's name."""
    found = []
    years = {int(year) for year in _YEAR.findall(Path(dataset.name).name)}
    years |= {int(year) for year in _YEAR.findall(dataset.tags().get("time_start", ""))}
    if years and product.year not in years:
        given = ", ".join(map(str, sorted(years)))
        found.append(f"another year: the file says {given}, the catalogue {product.year}")
    declared = dataset.nodata
    codes = {entry.code: entry.name for entry in product.classes}
    if declared is None and not product.fill_codes:
        found.append("no nodata: neither the file nor the catalogue names a code without data")
    elif declared is not None and declared in codes:
        found.append(
            f"nodata is a class: the file declares {declared:g}, which is "
            f"{codes[int(declared)]!r} in the legend; it is taken as that class"
        )
    elif declared is not None and not 0 <= declared <= MAX_CODE:
        found.append(f"nodata {declared:g} cannot stand in a file of one byte; it is ignored")
    return found + _grid_findings(product, dataset)


def _grid_findings(product: ProductRaster, dataset: rasterio.DatasetReader) -> list[str]:
    crs = CRS.from_user_input(dataset.crs)
    if product.grid.crs == "UTM":
        same = crs.utm_zone is not None
    else:
        same = crs.equals(CRS.from_user_input(product.grid.crs), ignore_axis_order=True)
        same = same or _projection_alone(crs) == _projection_alone(CRS(product.grid.crs))
    if not same:
        return [f"another CRS than published: {crs.name}, the catalogue says {product.grid.crs}"]
    sizes = (dataset.transform.a, -dataset.transform.e)
    if any(abs(size / product.grid.pixel_size - 1) > _SAME for size in sizes):
        return [
            f"another pixel size than published: {sizes[0]:.8g} x {sizes[1]:.8g}, the catalogue "
            f"says {product.grid.pixel_size:.8g} {product.grid.pixel_unit}"
        ]
    return []


def _projection_alone(crs: CRS) -> tuple:
    """Method and parameters of a projection, whatever datum and names it is written with."""
    operation = crs.coordinate_operation
    if operation is None:
        return (crs.name,)
    # False easting and the like are 0 in the one way of writing and left out in the other.
    values = {round(p.value, 9) for p in operation.params if p.value}
    return operation.method_name, tuple(sorted(values))

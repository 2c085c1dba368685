"""The shards of a stage as one layer: a GDAL virtual raster with relative paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import rasterio
from rasterio.dtypes import _gdal_typename

from cropbase.atomic import write_text
from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.active.qgis.xml import node, to_text
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.grid.rasters import raster_window


def write_vrt(path: Path, rasters: Sequence[Path], grid: BlockGrid) -> PixelWindow:
    """Write a virtual raster of shards that lie on the global pixel grid.

    Bands, type, nodata value, colours and mask are those of the first; where shards overlap (the
    halos of mosaics) the last one shows. Returns the pixels that it covers.

    Raises InputError without rasters, or if one has other bands or another type than the first.
    """
    if not rasters:
        raise InputError("a virtual raster of no file")
    placed: list[tuple[Path, PixelWindow]] = []
    with open_raster(rasters[0]) as first:
        for raster in rasters:
            with open_raster(raster) as dataset:
                if (dataset.count, dataset.dtypes) != (first.count, first.dtypes):
                    raise InputError(
                        f"raster {raster} cannot be shown beside {rasters[0]}",
                        given=f"{dataset.count} band(s) of {dataset.dtypes[0]}",
                        allowed=f"{first.count} band(s) of {first.dtypes[0]}",
                    )
                placed.append((Path(raster), raster_window(dataset, grid)))
        whole = placed[0][1]
        for _, window in placed[1:]:
            whole = whole.union(window)
        sources = [
            (os.path.relpath(raster, path.parent), window.relative_to(whole))
            for raster, window in placed
        ]
        write_text(path, to_text(_dataset(first, sources, grid, whole)))
    return whole


def _dataset(
    first: rasterio.DatasetReader,
    sources: list[tuple[str, tuple[slice, slice]]],
    grid: BlockGrid,
    whole: PixelWindow,
) -> ElementTree.Element:
    transform = ", ".join(repr(value) for value in grid.transform(whole).to_gdal())
    root = node(
        "VRTDataset",
        node("SRS", "EPSG:4326"),
        node("GeoTransform", transform),
        rasterXSize=whole.width,
        rasterYSize=whole.height,
    )
    for band in range(1, first.count + 1):
        element = node("VRTRasterBand", dataType=_gdal_typename(first.dtypes[band - 1]), band=band)
        if first.nodata is not None:
            element.append(node("NoDataValue", f"{first.nodata:g}"))
        if first.count >= 3:
            element.append(node("ColorInterp", ("Red", "Green", "Blue", "Alpha")[band - 1]))
        element.extend(_simple(*source, band) for source in sources)
        root.append(element)
    if first.nodata is None:
        mask = node("VRTRasterBand", *(_simple(*s, "mask,1") for s in sources), dataType="Byte")
        root.append(node("MaskBand", mask))
    return root


def _simple(name: str, place: tuple[slice, slice], band: int | str) -> ElementTree.Element:
    rows, cols = place
    size = {"xSize": cols.stop - cols.start, "ySize": rows.stop - rows.start}
    return node(
        "SimpleSource",
        node("SourceFilename", name, relativeToVRT=1),
        node("SourceBand", str(band)),
        node("SrcRect", xOff=0, yOff=0, **size),
        node("DstRect", xOff=cols.start, yOff=rows.start, **size),
    )

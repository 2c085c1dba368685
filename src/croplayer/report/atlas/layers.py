"""The maps of a province as layers of tiles, and the lines over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import geopandas as gpd
import numpy as np

from cropbase.atlas.drawing import codes_of, draw_classes, draw_imagery
from cropbase.atlas.mapdata import Entry, Outline, RasterLayer
from cropbase.atlas.pyramid import TILE, TileLayer
from cropbase.atlas.sampling import Frame, RasterSet
from cropbase.tables import read_geotable
from croplayer.comparison.codes import IN, UNCLEAR
from croplayer.comparison.reader import ProductReader
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.report.style import CROPLAND_COLOURS, GREEN, INK, OPTION_COLOURS, ORANGE, PURPLE, RED
from croplayer.settings.products import Product

MASK_COLOURS = (OPTION_COLOURS["only_a"], OPTION_COLOURS["only_b"])
# Paul Tol's muted colours, which colour-blind readers tell apart and the masks do not have.
PRODUCT_COLOURS = (RED, "#882255", "#332288", "#999933", "#44AA99", "#AA4499", "#661100", "#6699CC")
_PALE = 0.55
"""How far the colour of unclear classes goes towards white."""


def province_layers(
    *,
    mosaics: Mapping[str, Sequence[Path]],
    masks: Mapping[str, Sequence[Path]],
    maps: Sequence[Path],
    attributions: Mapping[str, str],
) -> list[RasterLayer]:
    """Imagery and mask of each source, A first, and the integrated map, all read from shards.

    Raises InputError for rasters that cannot be read.
    """
    layers = []
    for k, (source, paths) in enumerate(mosaics.items()):
        draw = draw_imagery(RasterSet.open(paths))
        layers.append(
            RasterLayer(
                TileLayer(f"imagery_{source}", draw, lossless=False),
                f"{'AB'[k]}: {source}",
                "Imagery",
                attribution=attributions.get(source, ""),
                shown=k == 0,
            )
        )
    for k, (source, paths) in enumerate(masks.items()):
        read = codes_of(RasterSet.open(paths))
        layers.append(
            RasterLayer(
                TileLayer(f"mask_{source}", draw_classes(read, {1: MASK_COLOURS[k]})),
                f"Mask {'AB'[k]}: {source}",
                "Cropland",
                (Entry("cropland", (MASK_COLOURS[k],)),),
                shown=not maps,
            )
        )
    if maps:
        colours = {1: CROPLAND_COLOURS[1], 254: CROPLAND_COLOURS[254]}
        read = codes_of(RasterSet.open(maps))
        layers.append(
            RasterLayer(
                TileLayer("map", draw_classes(read, colours)),
                "Integrated map",
                "Cropland",
                (Entry("cropland", (GREEN,)), Entry("unusable imagery", (PURPLE,))),
                shown=True,
            )
        )
    return layers


def product_layers(
    products: Mapping[str, Product],
    files: Mapping[str, Sequence[Path]],
    grid: BlockGrid,
    stack: ExitStack,
) -> list[RasterLayer]:
    """The cropland of each product, as published; `stack` closes their files.

    Raises InputError for files that cannot be read.
    """
    layers = []
    for k, (name, product) in enumerate(products.items()):
        colour = PRODUCT_COLOURS[k % len(PRODUCT_COLOURS)]
        colours, legend = {IN: colour}, [Entry("cropland", (colour,))]
        if product.unclear:
            colours[UNCLEAR] = _paler(colour)
            legend.append(Entry("holds cropland among other things", (colours[UNCLEAR],)))
        read = _product_codes(product, files[name], grid, stack)
        layers.append(
            RasterLayer(
                TileLayer(f"product_{name}", draw_classes(read, colours)),
                f"{product.title}, {product.year}",
                "Products",
                tuple(legend),
                product.attribution,
            )
        )
    return layers


def _product_codes(
    product: Product, paths: Sequence[Path], grid: BlockGrid, stack: ExitStack
) -> Callable[[Frame, int], np.ndarray]:
    """Reads the states of a product on a grid as coarse as the tiles' samples."""
    readers: dict[tuple[int, int], ProductReader] = {}

    def read(frame: Frame, times: int) -> np.ndarray:
        zoom = frame.matrix.zoom
        if (zoom, times) not in readers:
            per_block = round(grid.block_degrees * frame.matrix.world_pixels * times / 360)
            coarse = BlockGrid(grid.block_degrees, max(per_block, 1), grid.shard_degrees)
            readers[zoom, times] = stack.enter_context(ProductReader(product, paths, coarse))
        reader = readers[zoom, times]
        lats, lons = frame.centres(times)
        size = reader.grid.pixel_degrees
        rows = np.floor((90 - lats) / size).astype(int)
        cols = np.floor((lons + 180) / size).astype(int)
        window = PixelWindow(
            int(rows[0]), int(cols[0]), int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1
        )
        _, states = reader.read(window)
        return states[(rows - rows[0])[:, None], cols - cols[0]]

    return read


def _paler(colour: str) -> str:
    parts = bytes.fromhex(colour.removeprefix("#"))
    return "#" + bytes(round(part + (255 - part) * _PALE) for part in parts).hex()


def province_outlines(
    *,
    counties: gpd.GeoDataFrame,
    county_facts: Mapping[str, Mapping[str, object]],
    extents: Path,
    tolerance_degrees: float,
) -> list[Outline]:
    """Counties (lines simplified to about a pixel of the deepest tiles) and labelled extents."""
    simple = counties.assign(
        geometry=counties.geometry.simplify(tolerance_degrees, preserve_topology=True)
    )
    labelled = read_geotable(extents)
    outlines = [
        Outline(
            "counties",
            "Counties",
            simple,
            "county",
            INK,
            facts=[county_facts.get(str(key), {}) for key in counties["county_id"]],
        )
    ]
    for split, colour in (("train", ORANGE), ("validation", RED)):
        part = labelled[labelled["split"] == split]
        facts = [
            {"area, ha": row.area_ha, "cropland drawn, ha": row.cropland_ha, "source": row.source}
            for row in part.itertuples()
        ]
        title = "Extents labelled to train" if split == "train" else "Extents labelled to validate"
        dashes = "" if split == "train" else "6 4"
        outlines.append(
            Outline(
                split, title, part, "extent_id", colour, dashes=dashes, shown=False, facts=facts
            )
        )
    return outlines


def tile_degrees(zoom: int) -> float:
    """Longitude of a tile's pixel, degrees."""
    return 360 / (TILE << zoom)

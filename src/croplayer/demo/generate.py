"""Entry of the generator: from one seed to all files of the built-in GENERATED province."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rasterio.windows import Window

from cropbase.atomic import atomic_path, write_json, write_text
from cropbase.errors import ConfigError
from cropbase.rasters import TILE, write_cog
from cropbase.vectors import write_geopackage
from croplayer.demo import province as borders
from croplayer.demo.canvas import GENERATED, Canvas
from croplayer.demo.disturbance import Disturbed, choose_blocks, disturb
from croplayer.demo.imagery import SEASONS, render
from croplayer.demo.labels import choose_extents, digitise
from croplayer.demo.landcover import colormap
from croplayer.demo.landscape import Landscape, make_landscape
from croplayer.demo.products import make_products, make_reference
from croplayer.demo.province import Province, make_province
from croplayer.demo.terrain import Relief, make_relief
from croplayer.demo.tiling import cut_tiles, write_mbtiles
from croplayer.grid import BlockGrid
from croplayer.settings.demo import DemoSettings

log = logging.getLogger(__name__)

DEM_NODATA = -32768.0
GENERATOR = 2
"""Raised when what is generated changes: what an older version made is then made anew."""
FEWEST_PIXELS = 96
"""Smaller blocks would not hold a landscape."""


def generate_province(folder: Path, *, settings: DemoSettings, grid: BlockGrid) -> None:
    """Generate the demo province below `folder`; the same settings give the same bytes.

    Writes `province.gpkg`, `counties.gpkg`, `dem.tif` (1 arc-second, EPSG:4326, float32 metres,
    nodata -32768), `landcover.tif` and `truth.tif` (uint8 on the global pixel grid, class codes
    of `LandCover` and cropland 0/1), `imagery/<source>.mbtiles` (PNG tiles, EPSG:3857, at
    `settings.zoom`; tiles without data are absent), `official_area.json` and `.csv`,
    `labels/cropland.gpkg`, `labels/extents.gpkg`, `labels/coverage.csv`, `products/` (made
    stand-ins of existing maps), `reference/` (a sample of points) and `README.txt`.

    Raises ConfigError where the settings do not fit the grid.
    """
    folder = Path(folder)
    _check(settings, grid)
    canvas = Canvas.from_settings(settings, grid)
    seed = settings.seed
    log.info("generating the relief")
    relief = make_relief(canvas, seed)
    log.info("generating the landscape, %d x %d pixels", *canvas.shape)
    landscape = make_landscape(canvas, relief, seed)
    province = make_province(canvas, seed)
    inside_core = province.mask(canvas)
    inside = np.zeros(canvas.shape, bool)
    inside[canvas.core_slices] = inside_core
    share = {b: float(inside[canvas.block_slices(b)].mean()) for b in province.blocks}
    disturbed = choose_blocks(canvas, landscape, province.blocks, share, settings)
    _write_borders(folder, province)
    _write_rasters(folder, canvas, relief, landscape)
    true_ha = borders.cropland_area_ha(canvas, province, landscape.cropland)
    _write_official(
        folder, borders.official_area(true_ha, settings.official_deviation_percent, seed)
    )
    veiled = tuple(
        _write_source(folder, canvas, landscape, relief, disturbed, source, settings)
        for source in (0, 1)
    )
    extents = choose_extents(canvas, landscape, inside, disturbed, veiled, settings)
    cropland, squares = digitise(canvas, landscape, extents, settings)
    _write_vector(cropland, folder / "labels" / "cropland.gpkg")
    _write_vector(squares, folder / "labels" / "extents.gpkg")
    _write_coverage(folder, grid, disturbed, settings)
    make_products(folder, canvas, landscape, seed)
    make_reference(folder, canvas, province, landscape, seed)
    _write_readme(folder, settings, len(province.blocks), true_ha)


def _check(settings: DemoSettings, grid: BlockGrid) -> None:
    if grid.pixels_per_block < FEWEST_PIXELS:
        raise ConfigError(
            "grid.pixels_per_block is too small for the generated province",
            given=grid.pixels_per_block,
            allowed=f"at least {FEWEST_PIXELS}",
        )
    tile_pixel = 360 / 2**settings.zoom / 256
    if not 0.5 <= tile_pixel / grid.pixel_degrees <= 2:
        raise ConfigError(
            "demo.zoom does not fit the pixel size of the grid",
            given=f"zoom {settings.zoom}: {tile_pixel:.3g} degrees a pixel; "
            f"grid: {grid.pixel_degrees:.3g}",
            allowed="a pixel of the tiles between half and twice a pixel of the grid",
            remedy="choose grid.pixels_per_block near "
            f"{round(grid.block_degrees / tile_pixel)} or another zoom",
        )


def _write_source(
    folder: Path,
    canvas: Canvas,
    landscape: Landscape,
    relief: Relief,
    disturbed: Disturbed,
    source: int,
    settings: DemoSettings,
) -> np.ndarray:
    """Render and write one source; returns what hides the ground, 0-255, 255 without data."""
    name = settings.sources[source]
    log.info("rendering the generated source %s", name)
    image = render(canvas, landscape, relief, source=source, seed=settings.seed)
    valid, veiled = disturb(canvas, landscape, image, disturbed, source=source, seed=settings.seed)
    tiles = cut_tiles(canvas, image, valid, settings.zoom, SEASONS[source].shift)
    path = folder / "imagery" / f"{name}.mbtiles"
    count = write_mbtiles(path, tiles, name=name, canvas=canvas, zoom=settings.zoom)
    log.info("%d generated tiles of source %s", count, name)
    veiled[~valid] = 255
    return veiled


def _write_rasters(folder: Path, canvas: Canvas, relief: Relief, landscape: Landscape) -> None:
    tags = {"ORIGIN": GENERATED}
    # A tenth of a metre is what a DEM resolves; rounding it packs better.
    height = np.round(relief.height, 1).astype(np.float32)
    write_cog(
        folder / "dem.tif",
        _windows(height),
        height=height.shape[0],
        width=height.shape[1],
        bands=1,
        dtype="float32",
        transform=relief.transform,
        nodata=DEM_NODATA,
        overview_resampling="average",
        tags=tags,
        descriptions=["generated elevation, metres"],
    )
    core = landscape.landcover[canvas.core_slices]
    truth = landscape.cropland[canvas.core_slices].astype(np.uint8)
    for name, array, text, colours in (
        ("landcover", core, "generated land cover", colormap()),
        ("truth", truth, "generated true cropland: 1 cropland, 0 not", None),
    ):
        write_cog(
            folder / f"{name}.tif",
            _windows(array),
            height=array.shape[0],
            width=array.shape[1],
            bands=1,
            dtype="uint8",
            transform=canvas.grid.transform(canvas.core),
            tags=tags,
            descriptions=[text],
            colormap=colours,
        )


def _windows(array: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    for top in range(0, array.shape[0], TILE):
        part = array[top : top + TILE]
        yield Window(0, top, array.shape[1], part.shape[0]), part[None]


def _write_borders(folder: Path, province: Province) -> None:
    whole = gpd.GeoDataFrame(
        {"name": [borders.NAME], "origin": ["generated"]},
        geometry=[province.polygon],
        crs="EPSG:4326",
    )
    counties = gpd.GeoDataFrame(
        {
            "county_id": [key for key, _ in borders.COUNTIES],
            "county": [name for _, name in borders.COUNTIES],
            "city": [borders.CITY] * 2,
            "origin": ["generated"] * 2,
        },
        geometry=list(province.counties),
        crs="EPSG:4326",
    )
    _write_vector(whole, folder / "province.gpkg")
    _write_vector(counties, folder / "counties.gpkg")


def _write_official(folder: Path, official: dict) -> None:
    write_json(folder / "official_area.json", official)
    row = {
        "province": "demo",
        "area_ha": official["official_area_ha"],
        "source": "generated: true area with a drawn deviation; no survey was made",
    }
    with atomic_path(folder / "official_area.csv") as temporary:
        pd.DataFrame([row]).to_csv(temporary, index=False, lineterminator="\n")


def _write_vector(table: gpd.GeoDataFrame, path: Path) -> None:
    table = table.set_geometry(shapely.normalize(table.geometry.array))
    write_geopackage(table, path, metadata={"ORIGIN": GENERATED}, geometry_type="Polygon")


def _write_coverage(
    folder: Path, grid: BlockGrid, disturbed: Disturbed, settings: DemoSettings
) -> None:
    rows = [
        (grid.block_id(block), settings.sources[source], disturbed.coverage[source][block])
        for block in sorted(disturbed.coverage[0])
        for source in (0, 1)
    ]
    table = pd.DataFrame(rows, columns=["block_id", "source", "coverage_type"])
    with atomic_path(folder / "labels" / "coverage.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _write_readme(folder: Path, settings: DemoSettings, blocks: int, true_ha: float) -> None:
    first, second = settings.sources
    write_text(
        folder / "README.txt",
        f"""{GENERATED}

Everything in this folder was computed from seed {settings.seed}. Names, borders, relief, fields,
imagery, labels and the official area are invented; nothing was observed or surveyed.

province.gpkg, counties.gpkg   borders ({blocks} blocks)
dem.tif                        elevation, metres
landcover.tif, truth.tif       land cover and true cropland ({true_ha:.0f} ha in the province)
imagery/{first}.mbtiles, imagery/{second}.mbtiles
                               two renderings of the land cover as map tiles, zoom {settings.zoom}
official_area.json, .csv       the true area with a small deviation drawn from the seed
products/                      MADE stand-ins of three existing maps, in their published layouts
reference/                     a stratified sample of points with their true class
labels/                        what a generated annotator outlined, and the coverage types
""",
    )

"""MADE stand-ins for existing products, and a reference sample, of the generated province.

Three coarser, perturbed versions of the generated truth, in the layouts in which ESA WorldCover,
CLCD and GlobeLand30 are published (names, codes, CRS, zip): the comparison then runs through the
readers of real files. They say nothing about the real products.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject, transform_bounds
from rasterio.windows import Window
from scipy import ndimage

from cropbase.areas import row_pixel_areas_ha
from cropbase.atomic import atomic_path
from cropbase.rasters import TILE, write_cog
from cropbase.tables import write_csv
from croplayer.demo.canvas import GENERATED, Canvas
from croplayer.demo.landcover import CLASSES, LandCover, is_cropland
from croplayer.demo.landscape import Landscape
from croplayer.demo.noise import broad, stream
from croplayer.demo.province import Province

FOLDER = "products"
MADE = "Made for the demo in the layout of {}; not that product. " + GENERATED
POINTS_PER_STRATUM = 150
_ZIP_DATE = (2000, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Look:
    """How a made product sees the truth.

    file, crs, pixel : of the published layout; {corner} is the tile's corner, {zone} its UTM zone,
    pixel is in units of the CRS. codes : class of the truth -> code of the
    product. mistaken : share of the land, in patches, whose cropland and grassland are swapped.
    blur : pixels of the map over which the commonest class wins before it is resampled.
    """

    layout: str
    file: str
    crs: str
    pixel: float
    codes: dict[LandCover, int]
    mistaken: float
    blur: int


_C = LandCover
_CROPS = (_C.PADDY, _C.DRY_CROPLAND, _C.TERRACE, _C.CROPLAND_WITH_TREES)


def _codes(crop, fallow, glass, orchard, wood, bare, grass, water, built) -> dict[LandCover, int]:
    return dict.fromkeys(_CROPS, crop) | {
        _C.FALLOW: fallow,
        _C.GREENHOUSE: glass,
        _C.ORCHARD: orchard,
        _C.WOODLAND: wood,
        _C.BARE_LAND: bare,
        _C.GRASSLAND: grass,
        _C.WATER: water,
        _C.ROAD: built,
        _C.BUILT_UP: built,
    }


LOOKS = {
    "worldcover": Look(
        layout="ESA WorldCover 2020 v100",
        file="ESA_WorldCover_10m_2020_v100_{corner}_Map.tif",
        crs="EPSG:4326",
        pixel=1 / 12000,
        codes=_codes(40, 30, 50, 10, 10, 60, 30, 80, 50),
        mistaken=0.04,
        blur=5,
    ),
    "clcd": Look(
        layout="CLCD 2020",
        file="CLCD_v01_2020_albert.tif",
        crs="+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m +no_defs",
        pixel=30,
        codes=_codes(1, 1, 1, 2, 2, 7, 4, 5, 8),
        mistaken=0.08,
        blur=9,
    ),
    "globeland30": Look(
        layout="GlobeLand30 2020",
        file="{ns}{zone:02d}_{lat5:02d}_2020LC030.zip",
        crs="EPSG:{utm}",
        pixel=30,
        codes=_codes(10, 10, 10, 10, 20, 90, 30, 60, 80),
        mistaken=0.12,
        blur=15,
    ),
}
_GROUPS = dict.fromkeys(_CROPS, "annual_herbaceous") | {
    _C.FALLOW: "transitional",
    _C.GREENHOUSE: "greenhouse",
    _C.ORCHARD: "perennial_woody",
}


def make_products(folder: Path, canvas: Canvas, landscape: Landscape, seed: int) -> None:
    """Write the made products below `folder/products`; the same seed gives the same bytes."""
    truth = landscape.landcover[canvas.core_slices]
    source = canvas.grid.transform(canvas.core)
    place = _place(canvas.core_bounds)
    for name, look in LOOKS.items():
        look = replace(look, file=look.file.format(**place), crs=look.crs.format(**place))
        codes = _seen(truth, look, stream(seed, f"product {name}"))
        target = folder / FOLDER / look.file
        if target.suffix == ".zip":
            tif = target.with_suffix(".tif")
            _write(tif, codes, source, look, canvas.core_bounds)
            _pack(tif, target)
        else:
            _write(target, codes, source, look, canvas.core_bounds)


def _place(bounds: tuple[float, float, float, float]) -> dict[str, object]:
    """What the names of tiles say of a place."""
    west, south, east, _ = bounds
    ns, ew = ("N" if south >= 0 else "S"), ("E" if west >= 0 else "W")
    zone = int((west + east) / 2 + 180) // 6 + 1
    lat, lon = floor(south / 3) * 3, floor(west / 3) * 3
    return {
        "ns": ns,
        "corner": f"{ns}{abs(lat):02d}{ew}{abs(lon):03d}",
        "zone": zone,
        "lat5": abs(floor(south / 5) * 5),
        "utm": (32600 if south >= 0 else 32700) + zone,
    }


def _seen(truth: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """(rows, columns) uint8 codes of a product on the map's grid, before it is resampled."""
    cropland = is_cropland(truth)
    # Where most of the surroundings are cropland a coarse map sees nothing else, and the other
    # way round: narrow roads and small fields vanish.
    share = ndimage.uniform_filter(cropland.astype(np.float32), look.blur)
    seen = np.where((share > 0.5) & ~cropland, np.uint8(_C.DRY_CROPLAND), truth)
    seen = np.where((share < 0.3) & cropland, np.uint8(_C.GRASSLAND), seen)
    noise = broad(truth.shape, rng, wavelength=200)
    mistaken = noise > np.quantile(noise[::8, ::8], 1 - look.mistaken)
    swapped = np.where(is_cropland(seen), np.uint8(_C.GRASSLAND), np.uint8(_C.DRY_CROPLAND))
    seen = np.where(mistaken & np.isin(seen, [*_CROPS, _C.GRASSLAND, _C.BARE_LAND]), swapped, seen)
    table = np.zeros(CLASSES, np.uint8)
    for landcover, code in look.codes.items():
        table[landcover] = code
    return table[seen]


def _write(path: Path, codes: np.ndarray, source: Affine, look: Look, bounds) -> None:
    """Resample to the product's own pixels, the commonest class wins, and write."""
    west, south, east, north = transform_bounds("EPSG:4326", look.crs, *bounds)
    left, top = floor(west / look.pixel) * look.pixel, ceil(north / look.pixel) * look.pixel
    width, height = ceil((east - left) / look.pixel), ceil((top - south) / look.pixel)
    transform = Affine(look.pixel, 0, left, 0, -look.pixel, top)
    out = np.zeros((height, width), np.uint8)
    reproject(
        codes,
        out,
        src_transform=source,
        src_crs="EPSG:4326",
        dst_transform=transform,
        dst_crs=look.crs,
        resampling=Resampling.mode,
        src_nodata=0,
        dst_nodata=0,
    )
    write_cog(
        path,
        _windows(out),
        height=height,
        width=width,
        bands=1,
        dtype="uint8",
        transform=transform,
        crs=look.crs,
        nodata=0,
        overview_resampling="mode",
        tags={"ORIGIN": MADE.format(look.layout)},
    )


def _windows(array: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    for top in range(0, array.shape[0], TILE):
        part = array[top : top + TILE]
        yield Window(0, top, array.shape[1], part.shape[0]), part[None]


def _pack(tif: Path, target: Path) -> None:
    """Put the raster into a zip, as it is published, with a fixed date."""
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        name = f"{target.stem}/{target.stem.lower()}.tif"
        archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), tif.read_bytes())
    tif.unlink()


def make_reference(
    folder: Path, canvas: Canvas, province: Province, landscape: Landscape, seed: int
) -> None:
    """Write a generated stratified random sample: `reference/points.csv` and `strata.csv`.

    The strata are guesses at the land before any map: mostly cropland, mixed, mostly other, by the
    share of cropland around a pixel. The reference is the truth, without an interpreter's errors.
    """
    rng = stream(seed, "reference sample")
    truth = landscape.landcover[canvas.core_slices]
    inside = province.mask(canvas)
    share = ndimage.uniform_filter(is_cropland(truth).astype(np.float32), 61)
    strata = {
        "mostly_other": share < 0.25,
        "mixed": (share >= 0.25) & (share < 0.75),
        "mostly_cropland": share >= 0.75,
    }
    transform = canvas.grid.transform(canvas.core)
    row_ha = row_pixel_areas_ha(transform, len(truth))
    points, areas = [], []
    for name, mask in strata.items():
        mask = mask & inside
        if not mask.any():
            continue
        per_row = np.count_nonzero(mask, axis=1)
        areas.append((name, float(per_row @ row_ha)))
        # A pixel is drawn with the probability of its area.
        chance = np.repeat(row_ha, per_row)
        places = np.flatnonzero(mask)
        drawn = rng.choice(places, POINTS_PER_STRATUM, p=chance / chance.sum())
        rows, cols = np.unravel_index(np.sort(drawn), truth.shape)
        for row, col in zip(rows, cols, strict=True):
            lon = transform.c + (col + 0.5) * transform.a
            lat = transform.f + (row + 0.5) * transform.e
            group = _GROUPS.get(LandCover(truth[row, col]), "not_cropland")
            points.append((f"{lon:.7f}", f"{lat:.7f}", name, group))
    write_csv(
        pd.DataFrame(points, columns=["lon", "lat", "stratum", "reference"]),
        folder / "reference" / "points.csv",
    )
    write_csv(
        pd.DataFrame(areas, columns=["stratum", "area_ha"]), folder / "reference" / "strata.csv"
    )

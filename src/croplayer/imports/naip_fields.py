"""Aerial images of US Midwest farmland with hand-drawn fields, brought to the ground.

The data set is 30 images of 1024 x 1024 px without georeference, named by their centre, and VIA
polygons of fields (pasture included). How large a pixel is nobody wrote down. It was measured from
the spacing of section-line roads (a mile of 1609.344 m and its halves) along both axes of every
image: the images are north-up (roads deviate from the axes by tenths of a degree and do not follow
the convergence of a UTM grid, which reaches 2 degrees there), their pixels are square on the
ground, and there are three sizes.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from cropbase.areas import polygon_area_ha
from cropbase.atomic import write_text
from cropbase.errors import InputError
from cropbase.jobs import progress, run_command
from cropbase.rasters import write_cog
from cropbase.vectors import write_geopackage
from croplayer.active.readers import polygonal
from croplayer.imports.commands import add_config_options, data_root_of
from croplayer.imports.footprints import (
    Footprint,
    assign_folds,
    gap_m,
    group_near,
    parse_centre,
)
from croplayer.imports.via import ViaError, ViaRegion, read_via

log = logging.getLogger(__name__)

FINE_PIXEL_M = 1.0
MEDIUM_PIXEL_M = 2000 / 1024
COARSE_PIXEL_M = 2560 / 1024

_MEDIUM = frozenset(
    [
        "38.7482309848128--89.6548676255029",
        "40.1637887986809--89.9943351745605",
        "40.2255287534228--88.8321466181766",
        "43.2768273988623--85.8880524000559",
        "43.3076215923193--83.6174134101217",
        "43.3216247563628--83.5853737938962",
        "43.4066311779089--83.6220222827469",
        "43.4089390406588--83.6679532051476",
        "45.3400283876709--93.7965417477249",
        "45.6151016151883--95.0171869813459",
    ]
)
"""Images of 2 km; the number of decimals does not tell them from those of 2.56 km."""

CLASS = "cropland"


def pixel_size_m(stem: str) -> float:
    """Ground size of a pixel, metres, of the image of this name (without suffix).

    Six decimals: 1 m. More: 2.5 m (2.56 km across), or 1.953 m (2 km across) for ten images that
    are known by name.
    """
    if stem in _MEDIUM:
        return MEDIUM_PIXEL_M
    decimals = max(len(part) for part in re.findall(r"\.(\d+)", stem) or [""])
    return FINE_PIXEL_M if decimals <= 6 else COARSE_PIXEL_M


def import_naip_fields(
    *,
    images: Path,
    annotations: Path,
    output_images: Path,
    cropland: Path,
    extents: Path,
    province: Path,
    counties: Path,
    report: Path,
    folds: int = 5,
    validation_fold: int = 0,
    group_within_m: float = 10_000.0,
    seed: int = 0,
    only: int | None = None,
) -> None:
    """Georeference the images and bring the drawn fields to EPSG:4326.

    Parameters
    ----------
    images, annotations : folder of the PNGs and the VIA file.
    output_images : folder to fill with one COG an image (`<image_id>.tif`, RGB uint8, EPSG:4326,
        rectangular pixels in degrees that are square on the ground), all pixels valid.
    cropland : GeoPackage of fields: polygon_id, image_id, class. Clipped to the image; invalid ones
        mended by make_valid; of two that overlap the later loses the shared part, so that the
        union stays what was drawn.
    extents : GeoPackage of footprints: extent_id, split, fold, image, pixel_m, annotator. Images
        are held out whole, and neighbours together.
    province : GeoPackage of one multipolygon, the union of the footprints: the plan then has
        exactly the blocks with imagery.
    counties : GeoPackage, a polygon an image: county_id, county, city (which is the pixel size).
    report : CSV, a row an image: what was read, mended, clipped and cut, the cropland share, the
        nearest other image, the fold.
    folds, validation_fold : images of this fold are for validation, the others for training.
    group_within_m : images nearer than this stay in one fold.
    only : use that many images, the first by name of each pixel size in turn (for short runs).

    Raises InputError for a folder without PNGs, an annotated image that is absent, a PNG without
    annotations, a name that is no centre, an image that is not RGB uint8; ViaError for annotations
    that cannot be read.
    """
    if not (folds >= 2 and 0 <= validation_fold < folds):
        raise InputError(
            "the fold held out is none of the folds",
            given=f"validation_fold {validation_fold}, folds {folds}",
            allowed="at least 2 folds, counted from 0",
        )
    regions = read_via(annotations)
    footprints = _footprints(Path(images), Path(annotations), set(regions))
    footprints = _subset(footprints, only)
    groups = group_near(footprints, within_m=group_within_m)
    fold_of = assign_folds(footprints, groups, folds=folds, seed=seed)

    fields, rows = [], []
    for index, footprint in enumerate(progress(footprints, what="import images", unit="images")):
        shapes, row = resolve(regions[f"{footprint.name}.png"], footprint)
        fields.append((footprint, shapes))
        others = [gap_m(footprint, other) for other in footprints if other is not footprint]
        row |= {
            "nearest_image_m": round(min(others), 1) if others else None,
            "group": groups[index],
            "fold": fold_of[index],
            "split": "validation" if fold_of[index] == validation_fold else "train",
        }
        rows.append(row)
        _georeference(Path(images) / f"{footprint.name}.png", footprint, Path(output_images))
    table = pd.DataFrame(rows)
    _tell(table)

    boxes = [footprint.polygon for footprint in footprints]
    ids = table["image_id"].tolist()
    drawn = [(f"{fp.image_id}-{n:03d}", fp.image_id, s) for fp, part in fields for n, s in part]
    layers: dict[Path, tuple[dict[str, list], list]] = {
        cropland: (
            {
                "polygon_id": [name for name, _, _ in drawn],
                "image_id": [image for _, image, _ in drawn],
                "class": [CLASS] * len(drawn),
            },
            [shape for _, _, shape in drawn],
        ),
        extents: (
            {
                "extent_id": ids,
                **{name: table[name].tolist() for name in ("split", "fold", "image", "pixel_m")},
                "annotator": ["naip_fields"] * len(ids),
            },
            boxes,
        ),
        province: ({"province": ["naip_fields"]}, [shapely.union_all(boxes)]),
        counties: (
            {
                "county_id": ids,
                "county": ids,
                "city": [f"px{round(p * 100):03d}cm" for p in table["pixel_m"]],
            },
            boxes,
        ),
    }
    for path, (columns, shapes) in layers.items():
        write_geopackage(gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326"), path)
    write_text(report, table.to_csv(index=False, lineterminator="\n"))


def resolve(
    regions: list[ViaRegion], footprint: Footprint
) -> tuple[list[tuple[int, shapely.Geometry]], dict]:
    """The fields of one image in EPSG:4326, valid and without overlaps, and what it took.

    Returns (number of the region, polygon) for those that have ground inside the image, and the
    counts for the report.
    """
    frame = shapely.box(0, 0, footprint.width, footprint.height)
    mended = clipped = cut = outside = 0
    shared_pixels = 0.0
    kept: list[tuple[int, shapely.Geometry]] = []
    taken = shapely.Polygon()
    for region in regions:
        shape = region.shape
        if not shape.is_valid:
            shape, mended = polygonal(shapely.make_valid(shape)), mended + 1
        if not frame.covers(shape):
            shape, clipped = polygonal(shapely.intersection(shape, frame)), clipped + 1
        free = polygonal(shapely.difference(shape, taken))
        shared = shape.area - free.area
        cut += shared > 1e-6
        shared_pixels += shared
        if free.is_empty:
            outside += 1
            continue
        taken = shapely.union(taken, free)
        kept.append((region.number, free))
    transform = footprint.transform
    scale, shift = np.array([transform.a, transform.e]), np.array([transform.c, transform.f])
    located = []
    for number, shape in kept:
        shape = shapely.transform(shape, lambda xy: xy * scale + shift)
        located.append((number, shape if shape.is_valid else polygonal(shapely.make_valid(shape))))
    return located, {
        "image": f"{footprint.name}.png",
        "image_id": footprint.image_id,
        "lat": footprint.lat,
        "lon": footprint.lon,
        "pixel_m": footprint.pixel_m,
        "regions": len(regions),
        "fields": len(located),
        "mended": mended,
        "clipped": clipped,
        "overlaps_cut": cut,
        "overlap_share": round(shared_pixels / frame.area, 6),
        "without_ground": outside,
        "cropland_share": round(taken.area / frame.area, 6),
        "area_ha": round(polygon_area_ha(footprint.polygon), 3),
    }


def _footprints(images: Path, annotations: Path, annotated: set[str]) -> list[Footprint]:
    """The images of the folder, sorted by name; every one must have annotations and back."""
    files = sorted(path.name for path in images.glob("*.png")) if images.is_dir() else []
    if not files:
        raise InputError(f"folder {images} holds no PNG images", remedy="check the data root")
    absent, unlabelled = sorted(annotated - set(files)), sorted(set(files) - annotated)
    if absent:
        raise ViaError(
            f"{len(absent)} image(s) of {annotations} are not in {images}", given=absent[:10]
        )
    if unlabelled:
        raise ViaError(
            f"{len(unlabelled)} image(s) of {images} are not in {annotations}",
            given=unlabelled[:10],
            remedy="add them in VIA (without regions if there are no fields), or take them away",
        )
    footprints = []
    for name in files:
        lat, lon = parse_centre(Path(name).stem)
        height, width = _size(images / name)
        stem = Path(name).stem
        footprints.append(Footprint(stem, lat, lon, pixel_size_m(stem), height, width))
    doubled = pd.Series([f.image_id for f in footprints])
    if doubled.duplicated().any():
        raise InputError(
            "two images have the same centre to four decimals",
            given=sorted(doubled[doubled.duplicated()]),
        )
    return footprints


def _subset(footprints: list[Footprint], only: int | None) -> list[Footprint]:
    if only is None or only >= len(footprints):
        return footprints
    rank: dict[float, int] = {}
    ranked = []
    for footprint in footprints:
        rank[footprint.pixel_m] = rank.get(footprint.pixel_m, -1) + 1
        ranked.append((rank[footprint.pixel_m], footprint.pixel_m, footprint.name, footprint))
    chosen = [item[-1] for item in sorted(ranked, key=lambda item: item[:3])[:only]]
    log.warning("only %d of %d images are imported, as asked", len(chosen), len(footprints))
    return sorted(chosen, key=lambda footprint: footprint.name)


def _open(path: Path) -> rasterio.DatasetReader:
    try:
        with warnings.catch_warnings():
            # That these images have no georeference is why they are imported.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise InputError(f"image {path} cannot be opened", given=error) from None


def _size(path: Path) -> tuple[int, int]:
    with _open(path) as dataset:
        if dataset.count < 3 or dataset.dtypes[0] != "uint8":
            raise InputError(
                f"image {path} is not RGB",
                given=f"{dataset.count} band(s) of {dataset.dtypes[0]}",
                allowed="3 bands of uint8",
            )
        return dataset.height, dataset.width


def _georeference(png: Path, footprint: Footprint, folder: Path) -> None:
    with _open(png) as dataset:
        try:
            pixels = dataset.read([1, 2, 3])
        except rasterio.errors.RasterioIOError as error:
            raise InputError(f"image {png} is damaged", given=error) from None
    write_cog(
        folder / f"{footprint.image_id}.tif",
        [(Window(0, 0, footprint.width, footprint.height), pixels)],
        height=footprint.height,
        width=footprint.width,
        bands=3,
        dtype="uint8",
        transform=footprint.transform,
        overview_resampling="average",
    )


def _tell(table: pd.DataFrame) -> None:
    for column, words in (
        ("mended", "crossed themselves and were mended by make_valid"),
        ("clipped", "reached outside their image and were clipped"),
        ("overlaps_cut", "overlapped an earlier one, which keeps the shared ground"),
        ("without_ground", "had no ground of their own and were left out"),
    ):
        count = int(table[column].sum())
        if count:
            log.warning("%d of %d drawn fields %s", count, int(table["regions"].sum()), words)


def main(arguments: list[str] | None = None) -> int:
    """Command line: fill a folder with the georeferenced images and their labels."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.imports.naip_fields",
        description="Georeference the aerial images of farmland and bring their hand-drawn fields "
        "to EPSG:4326, for the province naip_fields.",
    )
    add_config_options(parser, "naip_fields")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("results/naip_fields/prepared"),
        help="folder to fill (default: %(default)s)",
    )
    parser.add_argument("--only", type=int, help="use that many images, for a short run")
    parser.add_argument(
        "--folds", type=int, default=5, help="folds of the images; one of them is held out"
    )
    parser.add_argument(
        "--validation-fold", type=int, default=0, help="the fold that is held out, from 0"
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        data = data_root_of(given, "naip_fields") / "naip_fields"
        output = given.output
        import_naip_fields(
            images=data / "images",
            annotations=data / "annotations.json",
            output_images=output / "images",
            cropland=output / "cropland.gpkg",
            extents=output / "extents.gpkg",
            province=output / "province.gpkg",
            counties=output / "counties.gpkg",
            report=output / "report.csv",
            folds=given.folds,
            validation_fold=given.validation_fold,
            only=given.only,
        )

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())

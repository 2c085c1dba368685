"""Pools of labelled windows for the simulation of active learning: truth that is held back.

A pool holds windows of equal area, the unit of labelling. Of every window it keeps a lattice of
pixels with features of colour and texture, and their true labels. A window can be cut into smaller
ones, which together hold the same pixels.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.features import rasterize
from rasterio.transform import from_bounds
from scipy import ndimage

from cropbase.areas import polygon_area_ha
from croplayer.demo.canvas import Canvas
from croplayer.demo.disturbance import choose_blocks, disturb
from croplayer.demo.imagery import render
from croplayer.demo.landscape import make_landscape
from croplayer.demo.province import make_province
from croplayer.demo.terrain import make_relief
from croplayer.imports.naip_fields import import_naip_fields
from croplayer.settings import load_settings

SCALES = (2, 6, 16)
"""Half edges of the windows of local means and deviations, pixels."""
FOLDS = 5
METRES = 4.0
"""Ground size to which the aerial images are brought, metres a pixel."""


@dataclass(frozen=True)
class Pool:
    """Windows that could be labelled.

    features : (windows, sources, pixels, features) float32.
    usable : (windows, sources) bool, whether the source shows the ground there.
    labels : (windows, pixels) bool, the truth.
    site : (windows,) int, the block that a window lies in, which is held out as one; an image where
        there are no blocks.
    fold : (windows,) int, the fold of the site.
    slope : (windows,) float64, degrees; NaN where there is no terrain.
    area_ha : area of a window, hectares (the mean: they differ by less than a percent).
    """

    name: str
    features: np.ndarray
    usable: np.ndarray
    labels: np.ndarray
    site: np.ndarray
    fold: np.ndarray
    slope: np.ndarray
    area_ha: float


def cut_smaller(pool: Pool, parts: int) -> Pool:
    """The same ground in `parts` x `parts` windows of each, which follow each other."""
    count = len(pool.labels)
    edge = math.isqrt(pool.labels.shape[1])
    size = edge // parts

    def cut_pixels(array: np.ndarray) -> np.ndarray:
        """(windows, pixels) numbers -> (smaller windows, their pixels)."""
        lattice = array.reshape(count, parts, size, parts, size).swapaxes(2, 3)
        return lattice.reshape(count * parts**2, size**2)

    pixels = cut_pixels(np.arange(count * edge**2))
    window, place = np.divmod(pixels, edge**2)
    return replace(
        pool,
        features=pool.features[window[:, :1], :, place].swapaxes(1, 2),
        usable=np.repeat(pool.usable, parts**2, axis=0),
        labels=pool.labels[window, place],
        site=np.repeat(pool.site, parts**2),
        fold=np.repeat(pool.fold, parts**2),
        slope=np.repeat(pool.slope, parts**2),
        area_ha=pool.area_ha / parts**2,
    )


def pixel_features(rgb: np.ndarray) -> np.ndarray:
    """Colour and texture of each pixel.

    Parameters
    ----------
    rgb : uint8 (rows, columns, 3).

    Returns (rows, columns, 18) float32: the bands, two ratios of bands, local means of the bands
    and local deviations of brightness at three scales, and the gradient.
    """
    bands = rgb.astype(np.float32) / 255
    total = bands.sum(axis=2) + 1e-3
    grey = total / 3
    layers = [*np.moveaxis(bands, 2, 0), bands[..., 0] / total, bands[..., 1] / total]
    for half in SCALES:
        size = 2 * half + 1
        means = [ndimage.uniform_filter(bands[..., k], size) for k in range(3)]
        square = ndimage.uniform_filter(grey * grey, size)
        spread = np.sqrt(np.maximum(square - ndimage.uniform_filter(grey, size) ** 2, 0))
        layers += [*means, spread]
    layers.append(ndimage.gaussian_gradient_magnitude(grey, 1.0))
    return np.stack(layers, axis=2)


def cut(array: np.ndarray, edge: int, step: int) -> np.ndarray:
    """(rows, columns, ...) -> (windows, pixels, ...): whole windows, every `step`-th pixel."""
    rows, cols = array.shape[0] // edge, array.shape[1] // edge
    part = array[: rows * edge, : cols * edge]
    part = part.reshape(rows, edge, cols, edge, *array.shape[2:])
    part = part[:, step // 2 :: step, :, step // 2 :: step].swapaxes(1, 2)
    return part.reshape(rows * cols, -1, *array.shape[2:])


def naip_fields(data_root: Path, *, edge: int, step: int, only: int | None) -> Pool | None:
    """Aerial images of farmland with hand-drawn fields; None where the data are absent."""
    folder = data_root / "naip_fields"
    images = next((p.parent for p in sorted(folder.rglob("*.png"))), None)
    if images is None:
        return None
    with tempfile.TemporaryDirectory() as home:
        out = Path(home)
        import_naip_fields(
            images=images,
            annotations=next(iter(sorted(folder.rglob("annotations.json")))),
            output_images=out / "images",
            **{name: out / f"{name}.gpkg" for name in ("cropland", "extents", "province")},
            counties=out / "counties.gpkg",
            report=out / "report.csv",
            folds=FOLDS,
            only=only,
        )
        extents, fields = gpd.read_file(out / "extents.gpkg"), gpd.read_file(out / "cropland.gpkg")
        parts = [
            _image_windows(out / "images" / f"{row.extent_id}.tif", row, fields, edge, step)
            for row in extents.itertuples()
        ]
    counts = [len(labels) for _, labels, _ in parts]
    features = np.concatenate([values for values, _, _ in parts])[:, None]
    return Pool(
        "naip_fields",
        features,
        np.ones(features.shape[:2], bool),
        np.concatenate([labels for _, labels, _ in parts]),
        np.repeat(np.arange(len(parts)), counts),
        np.repeat(extents["fold"].to_numpy(), counts),
        np.full(len(features), np.nan),
        float(np.average([area for *_, area in parts], weights=counts)),
    )


def _image_windows(
    path: Path, extent, fields: gpd.GeoDataFrame, edge: int, step: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """(features, labels, hectares of a window) of one image at `METRES`."""
    with rasterio.open(path) as dataset:
        size = round(1024 * extent.pixel_m / METRES)
        rgb = dataset.read(
            out_shape=(3, size, size), resampling=rasterio.enums.Resampling.average
        ).transpose(1, 2, 0)
        bounds = dataset.bounds
    transform = from_bounds(*bounds, size, size)
    near = fields[fields["image_id"] == extent.extent_id].geometry
    truth = rasterize(near, out_shape=(size, size), transform=transform) if len(near) else 0
    truth = np.broadcast_to(truth, (size, size)).astype(bool)
    area = polygon_area_ha(extent.geometry) * (edge / size) ** 2
    return cut(pixel_features(rgb), edge, step), cut(truth, edge, step), area


def generated_province(*, edge: int, step: int, small: bool) -> Pool:
    """The built-in province, two sources in two seasons; everything of it is generated."""
    settings = load_settings("demo")
    demo = settings.demo
    if small:
        demo = demo.model_copy(update={"blocks_wide": 5, "blocks_high": 4})
    canvas = Canvas.from_settings(demo, settings.grid.grid())
    relief = make_relief(canvas, demo.seed)
    landscape = make_landscape(canvas, relief, demo.seed)
    province = make_province(canvas, demo.seed)
    inside = province.mask(canvas)
    whole = np.zeros(canvas.shape, bool)
    whole[canvas.core_slices] = inside
    share = {b: float(whole[canvas.block_slices(b)].mean()) for b in province.blocks}
    disturbed = choose_blocks(canvas, landscape, province.blocks, share, demo)
    blocks = [block for block in province.blocks if share[block] > 0.5]
    metres = canvas.pixel_metres
    rise, run = np.gradient(landscape.height, metres[1], metres[0])
    steepness = np.degrees(np.arctan(np.hypot(rise, run)))
    features, usable = [], []
    for source in (0, 1):
        image = render(canvas, landscape, relief, source=source, seed=demo.seed)
        disturb(canvas, landscape, image, disturbed, source=source, seed=demo.seed)
        texture = pixel_features(image)
        features.append([cut(texture[canvas.block_slices(b)], edge, step) for b in blocks])
        usable.append([disturbed.usable(block, source) for block in blocks])
    labels = [cut(landscape.cropland[canvas.block_slices(b)], edge, step) for b in blocks]
    slope = [cut(steepness[canvas.block_slices(b)], edge, step) for b in blocks]
    count = len(labels[0])
    site = np.repeat(np.arange(len(blocks)), count)
    order = np.random.default_rng(demo.seed).permutation(len(blocks))
    grid = canvas.grid
    return Pool(
        "generated province",
        np.stack([np.concatenate(part) for part in features], axis=1),
        np.repeat(np.array(usable).T, count, axis=0),
        np.concatenate(labels),
        site,
        (np.argsort(order) % FOLDS)[site],
        np.median(np.concatenate(slope), axis=1),
        float(np.mean([polygon_area_ha(grid.polygon(b)) for b in blocks])) / count,
    )

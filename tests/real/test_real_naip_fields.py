"""The real aerial images with hand-drawn fields: size of pixels, place, labels, hold-out."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy import ndimage

from croplayer.active.labels import import_labels
from croplayer.active.rasterise import extent_window, rasterise_labels
from croplayer.grid import BlockGrid
from croplayer.imports.naip_fields import import_naip_fields
from croplayer.settings.labels import LabelSettings

ROOT = Path(
    os.environ.get(
        "CROPLAYER_DATA_ROOT", Path(__file__).resolve().parents[2].parent / "shared" / "data"
    )
)
DATA = ROOT / "naip_fields"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"real data are absent: no folder {DATA} (set CROPLAYER_DATA_ROOT)"
)

MILE_M = 1609.344
# Images whose section-line roads stand out; in the others woods, towns or hills hide them.
WITH_ROADS = [
    "n388381w0950457",
    "n396679w0954288",
    "n413497w0898827",
    "n430237w0958221",
    "n437840w0924228",
    "n401638w0899943",
    "n432768w0858881",
    "n434066w0836220",
    "n434089w0836680",
    "n414814w0888422",
    "n420180w0894462",
]


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("naip")
    import_naip_fields(
        images=DATA / "images",
        annotations=DATA / "annotations.json",
        output_images=folder / "images",
        **{n: folder / f"{n}.gpkg" for n in ("cropland", "extents", "province", "counties")},
        report=folder / "report.csv",
    )
    return folder


def edge_profile(gray: np.ndarray, axis: int) -> np.ndarray:
    """Strength of straight edges along `axis`, high-passed: roads are its sharp peaks.

    Of tilts within one degree the one with the sharpest profile counts.
    """
    gradient = np.clip(ndimage.sobel(gray, 1 - axis), -60, 60)
    rows = gradient if axis == 0 else gradient.T
    n = rows.shape[1]
    best = np.zeros(n)
    for tilt in np.arange(-1, 1.01, 0.1):
        shift = (np.arange(len(rows)) - len(rows) / 2) * np.tan(np.radians(tilt))
        profile = np.zeros(n)
        for i in range(0, len(rows), 2):
            profile += np.interp(np.arange(n) + shift[i], np.arange(n), rows[i], left=0, right=0)
        best = max(best, np.abs(profile), key=lambda p: float((p**2).sum()))
    smooth = ndimage.gaussian_filter1d(np.sqrt(best), 2)
    peaks = np.clip(smooth - ndimage.gaussian_filter1d(smooth, 40), 0, None)
    peaks = np.minimum(peaks, np.percentile(peaks, 99.5))
    return peaks - peaks.mean()


def road_score(gray: np.ndarray, pixel_sizes: np.ndarray) -> np.ndarray:
    """Autocorrelation of the edge profiles at quarters of a mile, for each assumed pixel size."""
    score = np.zeros(len(pixel_sizes))
    for axis in (0, 1):
        e = edge_profile(gray, axis)
        n = len(e)
        correlation = np.correlate(e, e, "full")[n - 1 :] / np.arange(n, 0, -1) / e.var()
        for quarters, weight in ((1, 1.0), (2, 1.5), (3, 1.0), (4, 1.0)):
            lag = quarters * MILE_M / 4 / pixel_sizes
            value = np.interp(lag, np.arange(n), correlation)
            score += weight * np.where(lag < 0.92 * n, value, 0)
    return score


@pytest.mark.parametrize("image_id", WITH_ROADS)
def test_roads_confirm_the_pixel_size(imported, image_id):
    report = pd.read_csv(imported / "report.csv").set_index("image_id")
    believed = report.loc[image_id, "pixel_m"]
    with rasterio.open(imported / "images" / f"{image_id}.tif") as dataset:
        gray = ndimage.gaussian_filter(dataset.read().mean(axis=0), 1.0)
    # Halves and doubles of a spacing always fit as well, so the search spans less than that.
    sizes = np.exp(np.linspace(np.log(0.9), np.log(2.9), 700))
    sizes = sizes[(sizes > believed * 0.71) & (sizes < believed * 1.4)]
    measured = sizes[np.argmax(road_score(gray, sizes))]
    assert measured == pytest.approx(believed, rel=0.015)


def test_all_fields_arrive(imported):
    report = pd.read_csv(imported / "report.csv")
    fields = gpd.read_file(imported / "cropland.gpkg")
    assert len(report) == 30
    assert report["regions"].sum() == len(fields) == 1232
    assert fields.geometry.is_valid.all()
    assert report["mended"].sum() == 7
    assert report["cropland_share"].between(0.20, 0.96).all()


def test_neighbours_are_held_out_together(imported):
    report = pd.read_csv(imported / "report.csv").set_index("image_id")
    county = ["n433076w0836174", "n433216w0835854", "n434066w0836220", "n434089w0836680"]
    assert report.loc[county, "fold"].nunique() == 1
    assert (report["nearest_image_m"] > 0).all()
    for _, group in report.groupby("split"):
        assert group["pixel_m"].nunique() == 3


def test_labels_pass_the_checks_and_lie_on_the_imagery(imported):
    grid = BlockGrid()
    region = gpd.read_file(imported / "province.gpkg").geometry[0]
    blocks = grid.blocks_touching(region)
    assert 30 <= len(blocks) <= 60
    gpd.GeoDataFrame(
        {"block_id": [grid.block_id(b) for b in blocks]},
        geometry=[grid.polygon(b) for b in blocks],
        crs=4326,
    ).to_parquet(imported / "blocks.parquet")
    import_labels(
        cropland=imported / "cropland.gpkg",
        extents=imported / "extents.gpkg",
        blocks=imported / "blocks.parquet",
        grid=grid,
        settings=LabelSettings(leakage_metres=5000),
        polygons_out=imported / "polygons.parquet",
        extents_out=imported / "labelled.parquet",
        report=imported / "findings.csv",
    )
    extents = gpd.read_parquet(imported / "labelled.parquet").set_index("extent_id")
    polygons = gpd.read_parquet(imported / "polygons.parquet")
    report = pd.read_csv(imported / "report.csv").set_index("image_id")
    for image_id in ("n396679w0954288", "n426575w0900795"):
        shape = extents.loc[image_id].geometry
        target = rasterise_labels(polygons.geometry, shape, grid, extent_window(shape, grid))
        share = (target == 1).sum() / (target != 255).sum()
        assert share == pytest.approx(report.loc[image_id, "cropland_share"], abs=0.005)


def test_edges_of_fields_lie_on_edges_of_the_imagery(imported):
    """Drawn outlines must follow the picture: moved aside by 30 m they fit worse."""
    fields = gpd.read_file(imported / "cropland.gpkg")
    better = 0
    ids = sorted(fields["image_id"].unique())
    for image_id in ids:
        with rasterio.open(imported / "images" / f"{image_id}.tif") as dataset:
            gray = ndimage.gaussian_filter(dataset.read().mean(axis=0), 1.5)
            t = dataset.transform
        pixel = round(30 / (abs(t.e) * 111_000))
        gradient = np.hypot(ndimage.sobel(gray, 0), ndimage.sobel(gray, 1))
        lines = fields.loc[fields["image_id"] == image_id].boundary.segmentize(2e-5)
        lon, lat = lines.get_coordinates().to_numpy().T
        x, y = (lon - t.c) / t.a, (lat - t.f) / t.e
        inner = (x > 40) & (x < 984) & (y > 40) & (y < 984)
        x, y = x[inner], y[inner]

        def strength(dx, dy, x=x, y=y, gradient=gradient):
            return ndimage.map_coordinates(gradient, [y + dy - 0.5, x + dx - 0.5], order=1).mean()

        moved = [strength(*d) for d in ((pixel, 0), (-pixel, 0), (0, pixel), (0, -pixel))]
        better += strength(0, 0) > max(moved)
    assert better == len(ids)

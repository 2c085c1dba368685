"""Rasters at the pixels of tiles, beside pyproj and rasterio."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window

from cropbase.atlas.sampling import Frame, RasterSet
from cropbase.errors import InputError
from cropbase.rasters import write_cog
from cropbase.webmercator import TileMatrix

WORLD = 20037508.342789244
"""Half of the edge of Web Mercator's world, metres."""


def write(path, array, *, west, north, size, mask=None, **more):
    bands, height, width = array.shape
    part = (Window(0, 0, width, height), array) + (() if mask is None else (mask,))
    transform = Affine(size, 0, west, 0, -size, north)
    shape = {"height": height, "width": width, "bands": bands, "dtype": array.dtype.name}
    write_cog(path, [part], transform=transform, **shape, **more)
    return path


def centres_by_pyproj(zoom, x, y):
    """(latitudes of rows, longitudes of columns) of the pixels' centres of a tile."""
    edge = 2 * WORLD / 2**zoom
    steps = (np.arange(256) + 0.5) / 256
    eastings = -WORLD + (x + steps) * edge
    northings = WORLD - (y + steps) * edge
    back = Transformer.from_crs(3857, 4326, always_xy=True)
    lons, _ = back.transform(eastings, np.zeros(256))
    _, lats = back.transform(np.zeros(256), northings)
    return lats, lons


@pytest.mark.parametrize(("lon", "lat"), [(112.1, 24.1), (-3.2, 55.9), (18.4, -33.9), (0.0, 0.0)])
@pytest.mark.parametrize("zoom", [3, 11, 16])
def test_centres_are_those_of_pyproj(lon, lat, zoom):
    matrix = TileMatrix(zoom)
    x, y = int(matrix.x(lon) // 256), int(matrix.y(lat) // 256)
    lats, lons = Frame(matrix, x, y).centres()
    wanted_lats, wanted_lons = centres_by_pyproj(zoom, x, y)
    np.testing.assert_allclose(lats, wanted_lats, atol=1e-9)
    np.testing.assert_allclose(lons, wanted_lons, atol=1e-9)
    finer, _ = Frame(matrix, x, y).centres(2)
    below = [centres_by_pyproj(zoom + 1, 2 * x, 2 * y + k)[0] for k in (0, 1)]
    np.testing.assert_allclose(finer, np.concatenate(below), atol=1e-9)


def frame_at(lon, lat, zoom):
    matrix = TileMatrix(zoom)
    return Frame(matrix, int(matrix.x(lon) // 256), int(matrix.y(lat) // 256))


def test_every_pixel_is_the_one_that_lies_there(tmp_path):
    """Brute force: each pixel of the tile looked up by itself, with pyproj's coordinates."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 200, (1, 300, 280), dtype=np.uint8)
    west, north, size = 112.03, 24.19, 0.0005
    path = write(tmp_path / "a.tif", codes, west=west, north=north, size=size, nodata=255)
    frame = frame_at(112.1, 24.12, 11)
    values, known = RasterSet.open([path]).sample(frame)
    lats, lons = centres_by_pyproj(11, frame.x, frame.y)
    seen = 0
    for i, lat in enumerate(lats):
        for j, lon in enumerate(lons):
            row, col = int((north - lat) // size), int((lon - west) // size)
            inside = 0 <= row < 300 and 0 <= col < 280
            assert known[i, j] == inside
            if inside:
                assert values[0, i, j] == codes[0, row, col]
                seen += 1
    assert 5_000 < seen < 256 * 256


def test_the_same_as_rasterios_warp(tmp_path):
    """Nearest neighbour by GDAL; pixels whose centre lies on an edge may fall either way."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 200, (1, 400, 400), dtype=np.uint8)
    place = {"west": 10.0, "north": 50.2, "size": 0.0007}
    path = write(tmp_path / "a.tif", codes, **place, nodata=255)
    frame = frame_at(10.1, 50.1, 11)
    values, known = RasterSet.open([path]).sample(frame)
    edge = 2 * WORLD / 2**11
    target = Affine(edge / 256, 0, -WORLD + frame.x * edge, 0, -edge / 256, WORLD - frame.y * edge)
    wanted = np.full((256, 256), 255, dtype=np.uint8)
    with rasterio.open(path) as dataset:
        reproject(
            dataset.read(1), wanted, src_transform=dataset.transform, src_crs=4326,
            src_nodata=255, dst_nodata=255, dst_transform=target, dst_crs=3857,
            resampling=Resampling.nearest, tolerance=0,
        )  # fmt: skip
    ours = np.where(known, values[0], 255)
    assert (wanted != 255).sum() > 10_000
    assert (ours == wanted).mean() > 0.999


def test_coarse_tiles_read_overviews_and_keep_their_place(tmp_path):
    """A raster with a bright east half: the edge stays where it is, to a pixel of the overview."""
    array = np.zeros((3, 2048, 2048), dtype=np.uint8)
    array[:, :, 1024:] = 200
    size = 0.0001
    path = write(tmp_path / "a.tif", array, west=112.0, north=24.2, size=size)
    frame = frame_at(112.1, 24.1, 9)
    values, known = RasterSet.open([path]).sample(
        frame, bands=(1, 2, 3), resampling=Resampling.average
    )
    _, lons = frame.centres()
    row = np.flatnonzero(known.any(axis=1))[3]
    pixel = 360 / 2**9 / 256
    inside = known[row]
    sure = inside & (np.abs(lons - 112.1024) > pixel)
    assert sure.sum() > 50
    assert (values[0, row, sure] == np.where(lons[sure] > 112.1024, 200, 0)).all()


def test_overlapping_rasters_fill_each_others_gaps(tmp_path):
    array = np.full((1, 100, 100), 7, dtype=np.uint8)
    hole = np.ones((100, 100), dtype=bool)
    hole[:, 50:] = False
    place = {"north": 0.1, "size": 0.001}
    a = write(tmp_path / "a.tif", array, west=0.0, mask=hole, **place)
    b = write(tmp_path / "b.tif", array + 1, west=0.03, **place)
    frame = frame_at(0.05, 0.05, 10)
    values, known = RasterSet.open([b, a]).sample(frame)
    _, lons = frame.centres()
    line = np.flatnonzero(known.any(axis=1))[0]
    assert (values[0, line, (lons > 0.001) & (lons < 0.049)] == 7).all()
    assert (values[0, line, (lons > 0.051) & (lons < 0.129)] == 8).all()
    assert not known[:, lons > 0.131].any()


def test_nothing_there_is_none(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((1, 8, 8), np.uint8), west=0, north=1, size=0.01)
    assert RasterSet.open([path]).sample(frame_at(100, 40, 8)) is None


def test_a_projected_raster_is_refused(tmp_path):
    path = write(
        tmp_path / "a.tif", np.ones((1, 8, 8), np.uint8), west=0, north=1, size=10, crs="EPSG:32648"
    )
    with pytest.raises(InputError, match="not north-up in longitude and latitude"):
        RasterSet.open([path])

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from cropbase.errors import InputError
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.rasters import raster_window, read_window

GRID = BlockGrid(block_degrees=0.05, pixels_per_block=37, shard_degrees=0.1)
WINDOW = GRID.block_window(Block(1318, 5841)).buffered(3)
T = GRID.transform(WINDOW)


def write(path, array, *, transform=None, crs="EPSG:4326", mask=None, nodata=None):
    bands, height, width = array.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=bands,
            dtype=array.dtype,
            crs=crs,
            transform=transform or GRID.transform(WINDOW),
            nodata=nodata,
        ) as dataset,
    ):
        dataset.write(array)
        if mask is not None:
            dataset.write_mask(mask.astype(np.uint8) * 255)
    return path


@pytest.fixture
def image():
    rng = np.random.default_rng(3)
    array = rng.integers(0, 255, (3, WINDOW.height, WINDOW.width), dtype=np.uint8)
    return array, rng.random(array.shape[1:]) > 0.3


def test_window_is_found_from_the_files_own_transform(tmp_path, image):
    array, mask = image
    with rasterio.open(write(tmp_path / "a.tif", array, mask=mask)) as dataset:
        assert raster_window(dataset, GRID) == WINDOW
        inner = PixelWindow(WINDOW.row + 5, WINDOW.col + 7, 11, 13)
        got, valid = read_window(dataset, GRID, inner)
    np.testing.assert_array_equal(got, array[:, 5:16, 7:20])
    np.testing.assert_array_equal(valid, mask[5:16, 7:20])


def test_outside_the_file_is_zero_and_invalid(tmp_path, image):
    array, mask = image
    with rasterio.open(write(tmp_path / "a.tif", array, mask=mask)) as dataset:
        got, valid = read_window(dataset, GRID, WINDOW.buffered(4), bands=[2])
        far, far_valid = read_window(dataset, GRID, PixelWindow(0, 0, 5, 6))
    np.testing.assert_array_equal(got[0, 4:-4, 4:-4], array[1])
    np.testing.assert_array_equal(valid[4:-4, 4:-4], mask)
    assert got[0, :4].sum() == 0 and not valid[:4].any() and not valid[:, -4:].any()
    assert far.shape == (3, 5, 6) and not far_valid.any()


def test_nodata_value_is_invalid(tmp_path):
    array = np.full((1, WINDOW.height, WINDOW.width), 7, dtype=np.uint8)
    array[0, 2, 3] = 255
    with rasterio.open(write(tmp_path / "a.tif", array, nodata=255)) as dataset:
        _, valid = read_window(dataset, GRID, WINDOW)
    assert not valid[2, 3] and valid.sum() == valid.size - 1


def test_strict_reading_refuses_a_window_that_leaves_the_file(tmp_path, image):
    with rasterio.open(write(tmp_path / "a.tif", image[0])) as dataset:
        with pytest.raises(InputError, match="does not cover the window"):
            read_window(dataset, GRID, WINDOW.buffered(1), boundless=False)
        with pytest.raises(InputError, match="has no band 4"):
            read_window(dataset, GRID, WINDOW, bands=[4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transform": Affine(T.a, 0, T.c + 0.3 * T.a, 0, T.e, T.f)}, "shifted by a part"),
        ({"transform": Affine(T.a * 1.01, 0, T.c, 0, T.e * 1.01, T.f)}, "its pixel size"),
        ({"transform": Affine(T.a, T.a / 9, T.c, T.e / 9, T.e, T.f)}, "its pixel size"),
        ({"crs": "EPSG:3857"}, "coordinate reference system"),
    ],
)
def test_a_raster_off_the_grid_is_refused(tmp_path, image, change, message):
    path = write(tmp_path / "a.tif", image[0], **change)
    with rasterio.open(path) as dataset, pytest.raises(InputError, match=message):
        read_window(dataset, GRID, WINDOW)


def test_offsets_are_exact_at_the_far_end_of_the_world(tmp_path):
    grid = BlockGrid(pixels_per_block=2304)
    window = PixelWindow(row=2304 * 3300 + 17, col=2304 * 7100 + 2301, height=4, width=5)
    array = np.arange(20, dtype=np.uint8).reshape(1, 4, 5)
    path = write(tmp_path / "far.tif", array, transform=grid.transform(window))
    with rasterio.open(path) as dataset:
        assert raster_window(dataset, grid) == window

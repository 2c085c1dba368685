"""Rasters of the user against GDAL's warper; what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject, transform

from cropbase.errors import InputError
from croplayer.grid import Block, BlockGrid
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.sources import RasterSource
from croplayer.tiles import build_mosaic, check_source
from croplayer.tiles.raster_reader import RasterImagery

UTM = "EPSG:32649"
HALO = 16


@pytest.fixture
def block(grid: BlockGrid) -> Block:
    return grid.block_at(112.31, 23.11)


@pytest.fixture
def write_raster(
    tmp_path: Path, grid: BlockGrid, block: Block, imagery: Any
) -> Callable[..., Path]:
    """A raster of the scene in UTM zone 49, over the block and some more (or a part of it)."""

    def write(
        name: str = "a.tif",
        *,
        pixel_m: float = 17.0,
        turn_degrees: float = 0.0,
        window: tuple[slice, slice] = np.s_[:, :],
        change: Callable[[np.ndarray], np.ndarray] = lambda array: array,
        **profile: Any,
    ) -> Path:
        west, south, east, north = grid.bounds(block)
        xs, ys = transform("EPSG:4326", UTM, [west, east, west, east], [south, north, north, south])
        left, top = min(xs) - 1500, max(ys) + 1500
        across, down = max(xs) + 1500 - left, top - min(ys) + 1500
        turn = Affine.rotation(turn_degrees, (left + across / 2, top - down / 2))
        place = turn @ Affine(pixel_m, 0, left, 0, -pixel_m, top)
        cols, rows = np.meshgrid(np.arange(int(across / pixel_m)), np.arange(int(down / pixel_m)))
        scale = pixel_m / 17.0
        array = np.moveaxis(imagery.scene(cols * scale, rows * scale), -1, 0)
        cut_rows, cut_cols = window
        place = place @ Affine.translation(cut_cols.start or 0, cut_rows.start or 0)
        array = change(array[:, cut_rows, cut_cols])
        options = {
            "driver": "GTiff",
            "count": len(array),
            "height": array.shape[1],
            "width": array.shape[2],
            "dtype": array.dtype,
            "crs": UTM,
            "transform": place,
            **profile,
        }
        with rasterio.open(tmp_path / name, "w", **options) as dataset:
            dataset.write(array)
        return tmp_path / name

    return write


@pytest.fixture
def mosaic(
    tmp_path: Path, grid: BlockGrid, block: Block
) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """(rgb, valid) of the mosaic of raster files."""

    def build(*paths: Path, resampling: str = "bilinear", **changes: Any) -> Any:
        blocks = changes.pop("blocks", [block])
        build_mosaic(
            source_name="mine",
            source=RasterSource(paths=tuple(map(str, paths)), **changes),
            tiles=None,
            grid=grid,
            blocks=blocks,
            mosaic=MosaicSettings(halo_pixels=HALO, resampling=resampling),
            output=tmp_path / "m.tif",
        )
        with rasterio.open(tmp_path / "m.tif") as dataset:
            return dataset.read(), dataset.dataset_mask() > 0

    return build


def by_gdal(path: Path, like: Path, method: Resampling, **options: Any) -> np.ndarray:
    with rasterio.open(path) as dataset, rasterio.open(like) as target:
        out = np.zeros((3, target.height, target.width), np.uint8)
        reproject(
            dataset.read((1, 2, 3)),
            out,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=target.transform,
            dst_crs=target.crs,
            resampling=method,
            **options,
        )
    return out


@pytest.mark.parametrize("method", ["bilinear", "cubic", "average"])
def test_a_projected_raster_agrees_with_gdal(
    write_raster: Any, mosaic: Any, tmp_path: Path, method: str
) -> None:
    path = write_raster()
    ours, valid = mosaic(path, resampling=method)
    assert valid.all()
    difference = np.abs(ours.astype(int) - by_gdal(path, tmp_path / "m.tif", Resampling[method]))
    assert difference.mean() < 0.6
    assert np.percentile(difference, 99.9) <= 4


def test_nearest_takes_the_pixel_under_the_centre(
    write_raster: Any, mosaic: Any, tmp_path: Path
) -> None:
    path = write_raster()
    ours, _ = mosaic(path, resampling="nearest")
    with rasterio.open(path) as dataset, rasterio.open(tmp_path / "m.tif") as target:
        t = target.transform
        lon, lat = np.meshgrid(
            t.c + t.a * (np.arange(target.width) + 0.5),
            t.f + t.e * (np.arange(target.height) + 0.5),
        )
        x, y = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(lon, lat)
        p = dataset.transform
        row = np.floor((y - p.f) / p.e).astype(int)
        col = np.floor((x - p.c) / p.a).astype(int)
        truth = dataset.read()[:, row, col]
    # Centres on the edge of two pixels may fall to either.
    assert (ours == truth).mean() > 0.999


def test_a_turned_raster_agrees_with_gdal(write_raster: Any, mosaic: Any, tmp_path: Path) -> None:
    path = write_raster(turn_degrees=20.0, pixel_m=20.0)
    ours, valid = mosaic(path)
    theirs = by_gdal(path, tmp_path / "m.tif", Resampling.bilinear)
    difference = np.abs(ours.astype(int) - theirs)[:, valid]
    assert valid.mean() > 0.95
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 4


@pytest.mark.parametrize("pixel_m", [8.0, 4.1])
def test_a_finer_raster_is_averaged_like_gdal_does(
    write_raster: Any, mosaic: Any, tmp_path: Path, pixel_m: float
) -> None:
    rng = np.random.default_rng(3)

    def noise(array: np.ndarray) -> np.ndarray:
        return np.clip(array + rng.normal(0, 40, array.shape), 0, 255).astype(np.uint8)

    path = write_raster(pixel_m=pixel_m, change=noise)
    ours, valid = mosaic(path)
    assert valid.all()
    theirs = by_gdal(path, tmp_path / "m.tif", Resampling.bilinear)
    nearest = by_gdal(path, tmp_path / "m.tif", Resampling.nearest)
    difference = np.abs(ours.astype(int) - theirs).mean()
    # Squares are averaged before the kernel, GDAL has one wide kernel: the same smoothing, with
    # other weights. Sampling without smoothing would be far off.
    assert difference < 4
    assert np.abs(nearest.astype(int) - theirs).mean() > 4 * difference


def test_a_raster_on_the_grid_itself_comes_back_exactly(
    mosaic: Any, grid: BlockGrid, block: Block, tmp_path: Path
) -> None:
    window = grid.block_window(block).buffered(HALO)
    array = np.random.default_rng(1).integers(
        0, 256, (3, window.height, window.width), dtype=np.uint8
    )
    with rasterio.open(
        tmp_path / "grid.tif",
        "w",
        driver="GTiff",
        count=3,
        height=window.height,
        width=window.width,
        dtype="uint8",
        crs="EPSG:4326",
        transform=grid.transform(window),
    ) as dataset:
        dataset.write(array)
    ours, valid = mosaic(tmp_path / "grid.tif")
    assert valid.all()
    assert np.array_equal(ours, array)


def test_shards_leave_no_trace(
    write_raster: Any, mosaic: Any, grid: BlockGrid, block: Block
) -> None:
    path = write_raster(window=np.s_[:300, 40:])
    right = Block(block.row, block.col + 1)
    both, valid = mosaic(path, blocks=[block, right])
    assert 0.3 < valid.mean() < 0.95
    whole = grid.shard_window([block, right]).buffered(HALO)
    for part in (block, right):
        pixels, there = mosaic(path, blocks=[part])
        inside = grid.block_window(part).buffered(HALO).relative_to(whole)
        assert np.array_equal(pixels, both[:, *inside])
        assert np.array_equal(there, valid[inside])


def test_windows_leave_no_trace(grid: BlockGrid, block: Block, write_raster: Any) -> None:
    source = RasterSource(paths=("unused",))
    window = grid.block_window(block)
    for pixel_m in (17.0, 5.0):
        with RasterImagery([write_raster(pixel_m=pixel_m)], source, grid, "bilinear") as imagery:
            whole, _ = imagery.sample(window)
            part = type(window)(window.row + 37, window.col + 101, 90, 60)
            piece, _ = imagery.sample(part)
        assert np.array_equal(piece, whole[part.relative_to(window)])


def test_what_is_not_covered_is_invalid(write_raster: Any, mosaic: Any, tmp_path: Path) -> None:
    path = write_raster(window=np.s_[:200, :])
    pixels, valid = mosaic(path)
    covered = np.zeros(valid.shape, np.uint8)
    with rasterio.open(path) as dataset, rasterio.open(tmp_path / "m.tif") as target:
        reproject(
            np.full(dataset.shape, 255, np.uint8),
            covered,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=target.transform,
            dst_crs=target.crs,
            resampling=Resampling.nearest,
        )
    assert 0.1 < valid.mean() < 0.9
    assert np.mean(valid == (covered > 0)) > 0.9999
    assert np.all(pixels[:, ~valid] == 0)


def test_a_raster_elsewhere_gives_no_imagery(
    write_raster: Any, mosaic: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _, valid = mosaic(write_raster(crs="EPSG:32631"))
    assert not valid.any()
    assert "source mine has no imagery at all" in caplog.text


def test_nodata_mask_and_alpha_are_honoured(write_raster: Any, mosaic: Any) -> None:
    hole = np.s_[:, 150:220, 100:260]

    def with_zero(array: np.ndarray) -> np.ndarray:
        array = np.maximum(array, 1)
        array[hole] = 0
        return array

    def with_alpha(array: np.ndarray) -> np.ndarray:
        alpha = np.full((1, *array.shape[1:]), 255, np.uint8)
        alpha[hole] = 0
        return np.concatenate([with_zero(array), alpha])

    by_setting = mosaic(write_raster("s.tif", change=with_zero), nodata=0)
    by_file = mosaic(write_raster("f.tif", change=with_zero, nodata=0))
    path = write_raster("m0.tif", change=with_zero)
    with rasterio.open(path, "r+") as dataset:
        mask = np.full(dataset.shape, 255, np.uint8)
        mask[hole[1:]] = 0
        dataset.write_mask(mask)
    by_mask = mosaic(path)
    by_alpha = mosaic(write_raster("al.tif", change=with_alpha, photometric="RGB", alpha="yes"))
    ignored = mosaic(write_raster("i.tif", change=with_zero))
    assert ignored[1].all()
    assert 0.02 < 1 - by_setting[1].mean() < 0.5
    # Nothing of the hole is mixed into its surroundings.
    assert by_setting[0][:, by_setting[1]].min() >= 1
    for other in (by_file, by_mask, by_alpha):
        assert np.array_equal(other[1], by_setting[1])
        assert np.array_equal(other[0], by_setting[0])


def test_the_first_file_wins_and_the_others_fill(write_raster: Any, mosaic: Any) -> None:
    def grey(value: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda array: np.full_like(array, value)

    part = write_raster("part.tif", window=np.s_[:, :250], change=grey(50))
    rest = write_raster("rest.tif", change=grey(200))
    pixels, valid = mosaic(part, rest)
    assert valid.all()
    assert set(np.unique(pixels)) == {50, 200}
    assert 0.1 < (pixels == 50).mean() < 0.9
    assert np.all(mosaic(rest, part)[0] == 200)


def test_other_types_are_stretched(write_raster: Any, mosaic: Any) -> None:
    plain, _ = mosaic(write_raster("u8.tif"))
    wide = write_raster("u16.tif", change=lambda a: a.astype(np.uint16) * 10 + 100)
    ours, valid = mosaic(wide, value_range=(100, 2650))
    assert valid.all()
    assert np.abs(ours.astype(int) - plain).max() <= 1
    with pytest.raises(InputError, match=r"u16\.tif is not uint8") as caught:
        mosaic(wide)
    assert "sources.mine.value_range" in str(caught.value)


def test_bands_are_chosen(write_raster: Any, mosaic: Any) -> None:
    path = write_raster()
    pixels, _ = mosaic(path)
    swapped, _ = mosaic(path, bands=(3, 2, 1))
    assert np.array_equal(swapped, pixels[::-1])
    with pytest.raises(InputError, match="lacks a band of sources.mine.bands") as caught:
        mosaic(path, bands=(1, 2, 4))
    assert "1 to 3" in str(caught.value)


def test_a_raster_without_crs_is_refused(write_raster: Any, mosaic: Any, tmp_path: Path) -> None:
    path = write_raster(crs=None)
    with pytest.raises(InputError, match=r"a\.tif has no coordinate reference system"):
        mosaic(path)
    assert not (tmp_path / "m.tif").exists()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_without_georeference_is_refused(write_raster: Any) -> None:
    path = write_raster(transform=Affine.identity())
    with pytest.raises(InputError, match="has no georeference"):
        check_source("mine", RasterSource(paths=(str(path),)))


def test_a_file_that_is_no_raster_is_refused(tmp_path: Path, mosaic: Any) -> None:
    (tmp_path / "x.tif").write_text("not a raster")
    with pytest.raises(InputError, match=r"x\.tif cannot be opened"):
        mosaic(tmp_path / "x.tif")


def test_a_truncated_raster_is_named(write_raster: Any, mosaic: Any, tmp_path: Path) -> None:
    path = write_raster(compress="deflate", tiled=True, blockxsize=128, blockysize=128)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.tif (is damaged|cannot be opened)"):
        mosaic(path)
    assert not (tmp_path / "m.tif").exists()


def test_a_vrt_is_a_raster(write_raster: Any, mosaic: Any, tmp_path: Path) -> None:
    path = write_raster()
    direct = mosaic(path)
    with rasterio.open(path) as dataset, rasterio.vrt.WarpedVRT(dataset, crs=UTM) as vrt:
        rasterio.shutil.copy(vrt, tmp_path / "a.vrt", driver="VRT")
    through = mosaic(tmp_path / "a.vrt")
    assert np.array_equal(direct[0], through[0])

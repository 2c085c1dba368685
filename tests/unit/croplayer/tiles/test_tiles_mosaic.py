"""Mosaics of tiles against GDAL, brute force and the known scene; no trace of windows or shards."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from mosaic_oracle import HALO, assembled, by_gdal, centres, read
from rasterio.warp import Resampling

from cropbase.errors import CompletenessError, InputError
from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.sources import MbtilesSource, XyzSource
from croplayer.tiles import build_mosaic
from croplayer.tiles.coverage import covering_tiles
from croplayer.tiles.datum import wgs84_to_gcj02
from croplayer.tiles.errors import TileStoreError
from croplayer.tiles.ledger import TileRecord
from croplayer.tiles.store import PartialStore

SOURCE = XyzSource(url="https://a.example/{z}/{x}/{y}", zoom=13, attribution="me", generated=True)


@pytest.fixture
def blocks(grid: BlockGrid) -> list[Block]:
    corner = grid.block_at(112.31, 23.11)
    return [Block(corner.row + i, corner.col + j) for i in range(2) for j in range(2)]


@pytest.fixture
def write_tiles(tmp_path: Path, grid: BlockGrid, imagery: Any) -> Callable[..., Path]:
    """A finished tile file of the scene (or of `pixels`), without a download."""

    def write(
        source: XyzSource,
        blocks: list[Block],
        *,
        name: str = "tiles.mbtiles",
        halo: int = HALO,
        absent: Callable[[int, int], bool] = lambda x, y: False,
        pixels: Callable[[int, int], np.ndarray] = imagery.tile_pixels,
        on: BlockGrid = grid,
    ) -> Path:
        xs, ys = covering_tiles(TileMatrix(source.zoom), source.datum, on, blocks, halo)
        output = tmp_path / name
        with PartialStore(output.with_name(name + ".partial"), source.zoom, "f") as store:
            store.plan(xs, ys)
            records = []
            for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
                if absent(x, y):
                    records.append(TileRecord(x, y, "absent", 1, "", reason="status 404"))
                    continue
                data = imagery.encode(pixels(x, y))
                records.append(TileRecord(x, y, "stored", 1, "", None, "png", f"{x}-{y}", data))
            store.record(records)
            store.finish(output, {"name": "scene"})
            store.remove()
        return output

    return write


@pytest.fixture
def mosaic(tmp_path: Path, grid: BlockGrid) -> Callable[..., Path]:
    def build(
        source: Any, tiles: Path | None, blocks: list[Block], name: str = "m.tif", **changes: Any
    ) -> Path:
        on = changes.pop("on", grid)
        build_mosaic(
            source_name="scene",
            source=source,
            tiles=tiles,
            grid=on,
            blocks=blocks,
            mosaic=MosaicSettings(**{"halo_pixels": HALO, **changes}),
            output=tmp_path / name,
        )
        return tmp_path / name

    return build


@pytest.mark.parametrize("method", ["bilinear", "cubic", "average", "nearest"])
def test_a_mosaic_agrees_with_gdal(
    write_tiles: Any, mosaic: Any, grid: BlockGrid, blocks: list[Block], imagery: Any, method: str
) -> None:
    path = mosaic(SOURCE, write_tiles(SOURCE, blocks), blocks, resampling=method)
    ours, valid = read(path)
    assert valid.all()
    image, transform = assembled(SOURCE, grid, blocks, imagery.tile_pixels)
    theirs = by_gdal(image, transform, path, Resampling[method])
    difference = np.abs(ours.astype(int) - theirs)
    # GDAL rounds positions and weights elsewhere than we do: a grey value or two of 256.
    assert difference.mean() < 0.6
    assert np.percentile(difference, 99.9) <= 3


def test_the_scene_is_where_it_belongs(
    write_tiles: Any, mosaic: Any, blocks: list[Block], imagery: Any
) -> None:
    path = mosaic(SOURCE, write_tiles(SOURCE, blocks), blocks)
    ours, _ = read(path)
    lon, lat = centres(path)
    matrix = TileMatrix(13)
    truth = np.moveaxis(imagery.scene(matrix.x(lon), matrix.y(lat)), -1, 0)
    difference = np.abs(ours.astype(int) - truth)
    assert difference.mean() < 0.6
    assert difference.max() <= 4


def test_nearest_takes_the_pixel_under_the_centre(
    write_tiles: Any, mosaic: Any, blocks: list[Block], imagery: Any
) -> None:
    path = mosaic(SOURCE, write_tiles(SOURCE, blocks), blocks, resampling="nearest")
    ours, _ = read(path)
    lon, lat = centres(path)
    matrix = TileMatrix(13)
    x, y = np.floor(matrix.x(lon)) + 0.5, np.floor(matrix.y(lat)) + 0.5
    same = ours == np.moveaxis(imagery.scene(x, y), -1, 0)
    # Centres on the edge of two pixels may fall to either.
    assert same.mean() > 0.9999


def test_the_offset_of_gcj02_is_undone(
    write_tiles: Any, mosaic: Any, blocks: list[Block], imagery: Any
) -> None:
    shifted = SOURCE.model_copy(update={"datum": "gcj02"})
    path = mosaic(shifted, write_tiles(shifted, blocks), blocks)
    ours, valid = read(path)
    assert valid.all()
    lon, lat = wgs84_to_gcj02(*centres(path))
    matrix = TileMatrix(13)
    truth = np.moveaxis(imagery.scene(matrix.x(lon), matrix.y(lat)), -1, 0)
    difference = np.abs(ours.astype(int) - truth)
    assert difference.mean() < 0.6
    assert difference.max() <= 4
    plain, _ = read(mosaic(SOURCE, write_tiles(SOURCE, blocks, name="p.mbtiles"), blocks, "p.tif"))
    assert np.abs(ours.astype(int) - plain).mean() > 10


@pytest.mark.parametrize("datum", ["wgs84", "gcj02"])
@pytest.mark.parametrize("method", ["bilinear", "cubic", "average"])
def test_shards_leave_no_trace(
    write_tiles: Any, mosaic: Any, grid: BlockGrid, blocks: list[Block], datum: str, method: str
) -> None:
    source = SOURCE.model_copy(update={"datum": datum})
    lost = covering_tiles(TileMatrix(13), datum, grid, blocks, HALO)
    hole = (int(np.median(lost[0])), int(np.median(lost[1])))
    options = {"absent": lambda x, y: (x, y) == hole}
    together = mosaic(source, write_tiles(source, blocks, **options), blocks, resampling=method)
    everything, valid = read(together)
    assert 0.02 < 1 - valid.mean() < 0.6
    whole = grid.shard_window(blocks).buffered(HALO)
    for number, part in enumerate(([blocks[0]], [blocks[3]], blocks[1:3], blocks[2:])):
        tiles = write_tiles(source, part, name=f"{number}.mbtiles", **options)
        path = mosaic(source, tiles, part, f"{number}.tif", resampling=method)
        pixels, there = read(path)
        own = grid.shard_window(part).buffered(HALO)
        for block in part:
            window = grid.block_window(block).buffered(HALO)
            here, inside = window.relative_to(own), window.relative_to(whole)
            assert np.array_equal(pixels[:, *here], everything[:, *inside])
            assert np.array_equal(there[here], valid[inside])


def test_windows_leave_no_trace(
    write_tiles: Any,
    mosaic: Any,
    blocks: list[Block],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiles = write_tiles(SOURCE, blocks)
    large = mosaic(SOURCE, tiles, blocks, "large.tif").read_bytes()
    monkeypatch.setattr("croplayer.tiles.mosaic.WINDOW_PIXELS", 128)
    assert mosaic(SOURCE, tiles, blocks, "small.tif").read_bytes() == large


def test_the_same_tiles_make_the_same_bytes(
    write_tiles: Any, mosaic: Any, blocks: list[Block]
) -> None:
    tiles = write_tiles(SOURCE, blocks)
    first = mosaic(SOURCE, tiles, blocks, "one.tif").read_bytes()
    assert mosaic(SOURCE, tiles, blocks, "two.tif").read_bytes() == first


def test_a_pixel_is_valid_where_its_tile_is(
    write_tiles: Any, mosaic: Any, grid: BlockGrid, blocks: list[Block]
) -> None:
    xs, ys = covering_tiles(TileMatrix(13), "wgs84", grid, blocks, HALO)
    hole = (int(np.median(xs)), int(np.median(ys)))
    tiles = write_tiles(
        SOURCE,
        blocks,
        absent=lambda x, y: (x, y) == hole,
        pixels=lambda x, y: np.full((256, 256, 3), 200, np.uint8),
    )
    path = mosaic(SOURCE, tiles, blocks)
    pixels, valid = read(path)
    lon, lat = centres(path)
    matrix = TileMatrix(13)
    under = (matrix.x(lon) // 256 == hole[0]) & (matrix.y(lat) // 256 == hole[1])
    assert np.array_equal(valid, ~under)
    assert np.all(pixels[:, under] == 0)
    # Beside the hole nothing is mixed with it: constant imagery stays constant.
    assert np.all(pixels[:, ~under] == 200)


def test_transparent_pixels_are_invalid(write_tiles: Any, mosaic: Any, blocks: list[Block]) -> None:
    def half(x: int, y: int) -> np.ndarray:
        image = np.full((256, 256, 4), 200, np.uint8)
        image[128:, :, 3] = 0
        return image

    path = mosaic(SOURCE, write_tiles(SOURCE, blocks, pixels=half), blocks)
    _, valid = read(path)
    _, lat = centres(path)
    assert np.array_equal(valid, TileMatrix(13).y(lat) % 256 < 128)


def test_only_blocks_and_their_halo_are_valid(
    write_tiles: Any, mosaic: Any, grid: BlockGrid, blocks: list[Block]
) -> None:
    diagonal = [blocks[0], blocks[3]]
    path = mosaic(SOURCE, write_tiles(SOURCE, diagonal), diagonal)
    pixels, valid = read(path)
    whole = grid.shard_window(diagonal).buffered(HALO)
    planned = np.zeros((whole.height, whole.width), bool)
    for block in diagonal:
        planned[grid.block_window(block).buffered(HALO).relative_to(whole)] = True
    assert np.array_equal(valid, planned)
    assert np.all(pixels[:, ~planned] == 0)
    assert not planned.all()


def test_finer_imagery_is_averaged_and_does_not_alias(
    write_tiles: Any, mosaic: Any, grid: BlockGrid, blocks: list[Block]
) -> None:
    fine = SOURCE.model_copy(update={"zoom": 16})
    one = blocks[:1]
    rng = np.random.default_rng(7)
    # Noise of single pixels, standard deviation 74.
    patch = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    tiles = write_tiles(fine, one, pixels=lambda x, y: patch, halo=0)
    spread = {}
    for method in ("nearest", "bilinear", "cubic", "average"):
        pixels, valid = read(mosaic(fine, tiles, one, resampling=method, halo_pixels=0))
        assert valid.all()
        assert abs(pixels.mean() - patch.mean()) < 1
        spread[method] = pixels.std()
    assert spread["nearest"] > 70
    # The mean of 8.1 x 8.8 pixels has a standard deviation of 74 / 8.4 = 8.8.
    assert spread["average"] == pytest.approx(8.8, rel=0.1)
    assert spread["bilinear"] < 8.8
    assert spread["cubic"] < 12
    image, transform = assembled(fine, grid, one, lambda x, y: patch, halo=0)
    path = mosaic(fine, tiles, one, resampling="average", halo_pixels=0)
    theirs = by_gdal(image, transform, path, Resampling.average)
    difference = np.abs(read(path)[0].astype(int) - theirs)
    assert difference.mean() < 0.6


def test_the_file_says_what_it_is(
    write_tiles: Any, mosaic: Any, grid: BlockGrid, blocks: list[Block]
) -> None:
    path = mosaic(SOURCE, write_tiles(SOURCE, blocks), blocks)
    whole = grid.shard_window(blocks).buffered(HALO)
    with rasterio.open(path) as dataset:
        assert dataset.crs.to_epsg() == 4326
        assert dataset.transform == grid.transform(whole)
        assert (dataset.height, dataset.width) == (whole.height, whole.width)
        assert dataset.dtypes == ("uint8",) * 3
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        tags = dataset.tags()
        assert dataset.descriptions == ("red", "green", "blue")
    assert tags["SOURCE"] == "scene"
    assert tags["ATTRIBUTION"] == "me"
    assert tags["GENERATED"] == "yes"
    assert tags["DATUM"] == tags["SOURCE_DATUM"] == "wgs84"


@pytest.mark.parametrize("compression", ["deflate", "zstd", "jpeg", "webp"])
def test_every_compression_can_be_read(
    write_tiles: Any, mosaic: Any, blocks: list[Block], compression: str
) -> None:
    one = blocks[:1]
    tiles = write_tiles(SOURCE, one)
    exact, _ = read(mosaic(SOURCE, tiles, one))
    pixels, valid = read(mosaic(SOURCE, tiles, one, "c.tif", compression=compression))
    assert valid.all()
    limit = 0 if compression in ("deflate", "zstd") else 4
    assert np.abs(exact.astype(int) - pixels).mean() <= limit


def test_a_users_mbtiles_gives_the_same_mosaic(
    write_tiles: Any, mosaic: Any, blocks: list[Block]
) -> None:
    tiles = write_tiles(SOURCE, blocks)
    downloaded = read(mosaic(SOURCE, tiles, blocks))
    # A plain file as other programs write it: one table, no ledger.
    plain = tiles.with_name("plain.mbtiles")
    connection = sqlite3.connect(plain)
    connection.execute("ATTACH ? AS other", (str(tiles),))
    connection.execute("CREATE TABLE tiles AS SELECT * FROM other.tiles")
    connection.commit()
    connection.close()
    own = read(mosaic(MbtilesSource(path=str(plain), zoom=13), None, blocks, "own.tif"))
    for ours, theirs in zip(own, downloaded, strict=True):
        assert np.array_equal(ours, theirs)
    with pytest.raises(InputError, match=r"sources\.scene\.zoom") as caught:
        mosaic(MbtilesSource(path=str(plain), zoom=12), None, blocks, "own.tif")
    assert "allowed: 13" in str(caught.value)


def test_tiles_of_other_blocks_are_refused(
    write_tiles: Any, mosaic: Any, blocks: list[Block], tmp_path: Path
) -> None:
    tiles = write_tiles(SOURCE, blocks[:1])
    with pytest.raises(CompletenessError, match="lacks"):
        mosaic(SOURCE, tiles, blocks)
    assert not (tmp_path / "m.tif").exists()


def test_a_damaged_tile_is_named(
    write_tiles: Any, mosaic: Any, blocks: list[Block], tmp_path: Path
) -> None:
    tiles = write_tiles(SOURCE, blocks)
    connection = sqlite3.connect(tiles)
    connection.execute("UPDATE images SET tile_data = x'FFD8FF00' WHERE rowid = 1")
    connection.commit()
    connection.close()
    with pytest.raises(TileStoreError, match=r"tile 13/\d+/\d+ of .*tiles\.mbtiles"):
        mosaic(SOURCE, tiles, blocks)
    assert not (tmp_path / "m.tif").exists()


def test_memory_does_not_grow_with_the_shard(
    write_tiles: Any, mosaic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Decoded tiles are held up to a bound, which so small an area would not reach.
    monkeypatch.setattr("croplayer.tiles.tile_reader._CACHE_BYTES", 4 * 1024 * 1024)
    grid = BlockGrid(block_degrees=0.05, pixels_per_block=768, shard_degrees=0.2)
    corner = grid.block_at(112.31, 23.11)
    source = SOURCE.model_copy(update={"zoom": 14})
    flat = np.full((256, 256, 3), 90, np.uint8)
    peaks = []
    for edge in (2, 4):
        blocks = [Block(corner.row + i, corner.col + j) for i in range(edge) for j in range(edge)]
        tiles = write_tiles(
            source, blocks, name=f"{edge}.mbtiles", pixels=lambda x, y: flat, on=grid
        )
        tracemalloc.start()
        mosaic(source, tiles, blocks, f"{edge}.tif", on=grid)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]

"""Tiles, layers, rasters, tables and models spoilt at random: read, or told what is wrong."""

from __future__ import annotations

import io
import sqlite3
import struct
import zipfile
import zlib

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from fuzzing import bounded, fuzz, put, spoilt, survives
from hypothesis import given
from hypothesis import strategies as st
from label_province import EXTENTS, FIELDS
from PIL import Image
from rasterio.transform import from_bounds
from rasterio.windows import Window
from safetensors.numpy import save as save_weights
from workspaces import REPOSITORY

from cropbase.rasters import reading_raster
from cropbase.tables import read_geotable, read_table
from croplayer.active.findings import Findings
from croplayer.active.readers import clean_layer, read_vector
from croplayer.comparison.catalogue import read_catalogue
from croplayer.comparison.reader import ProductReader
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.grid.regions import read_layer, read_region
from croplayer.segmentation import storage
from croplayer.settings.products import ProductRaster
from croplayer.tiles.errors import RejectedImageError
from croplayer.tiles.image import decode_tile, inspect_image
from croplayer.tiles.ledger import TileReader, create_schema

FORMATS = ("jpeg", "png", "webp")
GRID = BlockGrid(0.05, 64, 0.1)


def tile(kind: str, mode: str = "RGB", **options) -> bytes:
    """A tile of 256 pixels with some structure."""
    y, x = np.mgrid[:256, :256]
    pixels = np.stack([x, y, (x ^ y)], axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind.upper(), **options)
    return buffer.getvalue()


TILES = [
    tile("jpeg"), tile("jpeg", progressive=True), tile("png"), tile("png", "P"), tile("png", "RGBA"),
    tile("webp"), tile("webp", lossless=True),
]  # fmt: skip


def judged(data: bytes) -> str | None:
    """The reason for which a tile is rejected, None if it is one; nothing else may be raised."""
    with bounded():
        try:
            inspect_image(data, tile_pixels=256, formats=FORMATS)
            rgb, valid = decode_tile(data, tile_pixels=256)
        except RejectedImageError as error:
            return str(error)
    assert rgb.shape == (256, 256, 3) and (valid is None or valid.shape == (256, 256))
    return None


@given(data=spoilt(TILES, [b"<html>", b"IEND\xaeB`\x82", b"\xff\xd9", b"\xff\xd8\xff"]))
@fuzz(100)
def test_tiles(data):
    judged(data)


@given(data=st.binary(max_size=200))
@fuzz(40)
def test_bytes_of_no_tile(data):
    assert judged(data) is not None


def png_that_says(width: int, height: int, packed: bytes) -> bytes:
    """A PNG whose header and data say different things."""

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    "data",
    [
        png_that_says(60_000, 60_000, zlib.compress(b"\0" * 1000)),
        # Says 256 pixels and unpacks to 200 MB.
        png_that_says(256, 256, zlib.compress(b"\0" * 200_000_000, 1)),
        b"RIFF\xff\xff\xff\x7fWEBPVP8X\n\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff",
    ],
    ids=["60000 x 60000", "too many pixels", "webp of 16 million pixels a side"],
)  # fmt: skip
def test_a_tile_that_would_fill_the_memory_is_no_tile_or_read_in_bounds(data):
    judged(data)


# ------------------------------------------------------------------------------------- layers
@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def vector_bytes(folder, suffix: str) -> bytes:
    frame = gpd.GeoDataFrame(
        {
            "class": ["paddy", "fallow", "terraces"],
            "split": ["train"] * 3,
            "extent_id": list("abc"),
        },
        geometry=[*FIELDS[:2], EXTENTS[1]],
        crs=4326,
    )
    path = folder / f"whole{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "suffix", [".gpkg", ".parquet", ".geojson", ".shp", ".shx", ".dbf", ".prj"]
)
def test_layers(folder, suffix):
    original = vector_bytes(folder, ".shp" if suffix in (".shx", ".dbf", ".prj") else suffix)
    if suffix in (".shp", ".shx", ".dbf", ".prj"):
        original = (folder / f"whole{suffix}").read_bytes()
        for other in (".shp", ".shx", ".dbf", ".prj"):
            put(folder / f"spoilt{other}", (folder / f"whole{other}").read_bytes())
    path = folder / f"spoilt{'.shp' if suffix in ('.shx', '.dbf', '.prj') else suffix}"

    def labels():
        findings = Findings(files={"cropland": path})
        frame = read_vector(path, "cropland")
        clean_layer(frame, path, "cropland", repair=True, findings=findings)
        findings.raise_errors()

    @given(data=spoilt([original], [b"NaN", b"1e999", b"null", b"[", b"\xff" * 8]))
    @fuzz(12)
    def run(data):
        put(folder / f"spoilt{suffix}", data)
        survives(labels)
        survives(lambda: read_layer(path))
        survives(lambda: read_region(path))

    run()


# ------------------------------------------------------------------------------------ rasters
def raster_bytes(path, **profile) -> bytes:
    y, x = np.mgrid[:64, :64]
    with rasterio.open(
        path, "w", driver="GTiff", height=64, width=64, count=1, dtype="uint8", crs="EPSG:4326",
        transform=from_bounds(112, 24, 112.1, 24.1, 64, 64), **profile,
    ) as dataset:  # fmt: skip
        dataset.write((x * y % 8).astype(np.uint8), 1)
    return path.read_bytes()


@pytest.fixture(scope="module")
def product():
    entry = read_catalogue(REPOSITORY / "config/products.yaml").products["esri"]
    return ProductRaster(**entry.raster())


@pytest.mark.parametrize("compress", ["none", "deflate", "lzw"])
def test_product_rasters(folder, product, compress):
    original = raster_bytes(
        folder / "whole.tif", compress=compress, tiled=True, blockxsize=16, blockysize=16
    )
    window = GRID.shard_window([GRID.block_at(112.01, 24.01)])

    @given(data=spoilt([original], [b"\0" * 8, b"\xff" * 4]))
    @fuzz(20)
    def run(data):
        path = put(folder / "spoilt.tif", data)

        def read_product():
            with ProductReader(product, [path], GRID) as reader:
                reader.read(PixelWindow(window.row, window.col, 64, 64))
                reader.pixel(window)

        def read_raster():
            with reading_raster(path) as dataset:
                dataset.read(1, window=Window(0, 0, 64, 64))

        survives(read_product)
        survives(read_raster)

    run()


def test_product_zips(folder, product):
    with zipfile.ZipFile(folder / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tif", raster_bytes(folder / "zipped.tif"))
    original = (folder / "whole.zip").read_bytes()
    window = GRID.block_window(GRID.block_at(112.01, 24.01))

    @given(data=spoilt([original]))
    @fuzz(15)
    def run(data):
        path = put(folder / "spoilt.zip", data)

        def read():
            with ProductReader(product, [path], GRID) as reader:
                reader.read(window)

        survives(read)

    run()


# ------------------------------------------------------------------------ tables, tiles, models
@given(data=st.data())
@fuzz(20)
def test_parquet(folder, data):
    original = vector_bytes(folder, ".parquet")
    path = put(folder / "table.parquet", data.draw(spoilt([original])))
    survives(lambda: read_table(path))
    survives(lambda: read_geotable(path))


def test_tile_files(folder):
    whole = folder / "whole.mbtiles"
    with sqlite3.connect(whole) as connection:
        create_schema(connection, "main")
        connection.execute("INSERT INTO images VALUES ('x', ?)", (TILES[2],))
        connection.execute("INSERT INTO map VALUES (1, 0, 1, 'x')")
    connection.close()

    @given(data=spoilt([whole.read_bytes()]))
    @fuzz(25)
    def run(data):
        path = put(folder / "spoilt.mbtiles", data)

        def read():
            with TileReader(path, 1) as reader:
                reader.zooms()
                reader.read(0, 0)
                if reader.has_ledger:
                    reader.settled()

        survives(read)

    run()


@given(
    data=spoilt(
        [save_weights({"weight": np.ones((4, 4), np.float32)})],
        [b'"shape":[99999999,99999999]', b"F64", b"\xff" * 8],
    )
)
@fuzz(12)
def test_model_weights(folder, data):
    model = folder / "model"
    model.mkdir(exist_ok=True)
    put(model / storage.WEIGHTS, data)
    put(model / storage.DESCRIPTION, b'{"architecture": "mask2former", "config": {}}')
    assert not survives(lambda: storage.load_model(model))

"""Rasters, tiles, models and tables that the stages of a shard cannot use: one message each."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from choosing_case import MODEL
from fault_bench import (
    Fault,
    bytes_instead,
    copied,
    cut_short,
    emptied,
    end_of_job,
    folder_instead,
    refuse,
    removed,
    web_page_instead,
)
from fault_shard import PROVINCE, ZOOM, Shard, png, raster
from rasterio.transform import Affine

from croplayer.segmentation import storage
from croplayer.segmentation.architectures import build_model
from croplayer.settings.sources import MbtilesSource

BOUNDS = PROVINCE.bounds


def source(name, **changes):
    """Change the keys of a source."""
    return lambda bench: bench.sources.update(
        {name: type(bench.sources[name])(**(bench.sources[name].model_dump() | changes))}
    )


def profile(name, **changes):
    return raster(name, lambda file: file.profile.update(changes))


def values(name, change):
    """Other values in a raster."""

    def set_values(file):
        file.array = change(file.array)
        file.profile["dtype"] = file.array.dtype

    return raster(name, set_values)


def place(name, bounds):
    return raster(name, lambda file: setattr(file, "bounds", bounds))


def rotated(name):
    return raster(
        name,
        lambda file: file.profile.update(
            transform=Affine(0.001, 0.0002, 111.95, 0.0002, -0.001, 24.15)
        ),
    )


def tile(data: bytes):
    """The same bytes for every tile."""

    def spoil(bench):
        import sqlite3

        with sqlite3.connect(bench.folder / "b.mbtiles") as connection:
            connection.execute("UPDATE images SET tile_data = ?", (data,))

    return spoil


def image(shape):
    return png(np.zeros(shape, np.uint8))


def column(name, change):
    """Change a Parquet table."""

    def spoil(bench):
        path = bench.folder / name
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return spoil


def weights_of_another(bench):
    other = MODEL.model_copy(update={"shape": MODEL.shape.model_copy(update={"queries": 8})})
    storage.save_weights(build_model(other), bench.folder / "segmentation")


def card(name, **changes):
    def spoil(bench):
        path = bench.folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def zipped(name, member, content):
    def spoil(bench):
        with zipfile.ZipFile(bench.folder / name, "w") as archive:
            archive.writestr(member, content)
        bench.settings["product"] = name

    return spoil


def product(name):
    return lambda bench: bench.settings.update(product=name)


def text(name, content):
    return bytes_instead(name, content.encode())


IMAGERY = {
    "no raster": Fault(removed("a.tif"), ["sources.a.paths", "a.tif"]),
    "an empty raster": Fault(emptied("a.tif"), ["a.tif", "cannot be opened"]),
    "a raster cut short": Fault(cut_short("a.tif", 0.6), ["a.tif", "damaged"]),
    "a header cut short": Fault(cut_short("a.tif", 0.0001), ["a.tif", "cannot be opened"]),
    "a web page called tif": Fault(web_page_instead("a.tif"), ["a.tif", "cannot be opened"]),
    "a photograph": Fault(bytes_instead("a.tif", image((20, 20, 3))), ["a.tif", "no coordinate reference system"]),
    "no crs": Fault(profile("a.tif", crs=None), ["a.tif", "gdal_edit.py -a_srs"]),
    "no georeference": Fault(profile("a.tif", transform=Affine.identity()), ["a.tif", "no georeference"]),
    "one band": Fault(values("a.tif", lambda a: a[:1]), ["lacks a band", "grey image is 1, 1, 1"]),
    "reflectances": Fault(
        values("a.tif", lambda a: a.astype(np.uint16) * 40), ["not uint8", "uint16", "value_range"]
    ),
    "complex numbers": Fault(
        lambda b: (values("a.tif", lambda a: a.astype(np.complex64))(b), source("a", value_range=[0, 1])(b)),
        ["complex values"],
    ),
    "a band that is not there": Fault(source("a", bands=[1, 2, 4]), ["sources.a.bands", "1 to 3"]),
    "a variable that is not set": Fault(
        source("a", paths=["${NO_SUCH_FOLDER}/a.tif"]), ["NO_SUCH_FOLDER", "export NO_SUCH_FOLDER"]
    ),
    "no tile file": Fault(removed("b.mbtiles"), ["b.mbtiles does not exist"]),
    "an empty tile file": Fault(emptied("b.mbtiles"), ["b.mbtiles", "no MBTiles"]),
    "a web page for a tile file": Fault(web_page_instead("b.mbtiles"), ["b.mbtiles", "is damaged"]),
    "a tile file cut short": Fault(cut_short("b.mbtiles", 0.4), ["b.mbtiles"]),
    "a GeoPackage for a tile file": Fault(copied("b.mbtiles", "counties.gpkg"), ["no MBTiles file"]),
    "another zoom": Fault(
        lambda b: b.sources.update(b=MbtilesSource(path=b.sources["b"].path, zoom=12)),
        ["sources.b.zoom", "given: 12", f"allowed: {ZOOM}"],
    ),
    "tiles of another size": Fault(source("b", tile_pixels=512), ["256 x 256 pixels instead of 512 x 512"]),
    "a web page for a tile": Fault(tile(b"<html>over quota</html>"), ["b.mbtiles cannot be used", "tile 9/"]),
    "a tile cut short": Fault(lambda b: tile(image((256, 256, 3))[:200])(b), ["truncated or damaged"]),
    "an empty tile": Fault(tile(b""), ["b.mbtiles cannot be used"]),
    "a text for a tile": Fault(
        lambda b: tile("no blob")(b), ["b.mbtiles cannot be used"]
    ),
    "a tile of 60000 pixels": Fault(
        tile(image((1, 1, 3)).replace(b"\0\0\0\x01\0\0\0\x01", b"\0\0\xea\x60\0\0\xea\x60")), ["b.mbtiles cannot be used"]
    ),
}  # fmt: skip

MODELS = {
    "assess_quality: no folder": Fault(
        lambda b: (b.folder / "coverage").rename(b.folder / "gone"), ["coverage model", "cannot be read"]
    ),
    "assess_quality: weights cut short": Fault(
        cut_short("coverage/model.safetensors"), ["coverage model", "train_coverage"]
    ),
    "assess_quality: another width": Fault(card("coverage/model.json", width=16), ["coverage model"]),
    "assess_quality: another network": Fault(
        card("coverage/model.json", architecture="vgg16"), ["coverage model"]
    ),
    "assess_quality: a description of a list": Fault(text("coverage/model.json", "[]"), ["coverage model"]),
    "assess_quality: a grey mosaic": Fault(
        values("mosaic_a.tif", lambda a: a[:1]), ["mosaic_a.tif", "is not an RGB image"]
    ),
    "assess_quality: a mosaic of floats": Fault(
        values("mosaic_a.tif", lambda a: a.astype(np.float32)), ["mosaic_a.tif", "three bands of uint8"]
    ),
    "assess_quality: a mosaic of other pixels": Fault(
        values("mosaic_a.tif", lambda a: a[:, ::2, ::2]), ["mosaic_a.tif", "grid.pixels_per_block"]
    ),
    "segment_shard: no weights": Fault(
        removed("segmentation/model.safetensors"), ["has no model.safetensors", "trained model"]
    ),
    "segment_shard: no description": Fault(removed("segmentation/model.json"), ["has no model.json"]),
    "segment_shard: weights of another network": Fault(
        weights_of_another, ["does not fit its description", "size mismatch"]
    ),
    "segment_shard: an unknown network": Fault(
        card("segmentation/model.json", architecture="unet"), ["architecture 'unet'", "mask2former"]
    ),
    "segment_shard: weights cut short": Fault(cut_short("segmentation/model.safetensors"), ["is damaged"]),
    "segment_shard: a web page for weights": Fault(
        web_page_instead("segmentation/model.safetensors"), ["is damaged or does not fit"]
    ),
    "segment_shard: a description that is a list": Fault(
        text("segmentation/model.json", "[1]"), ["is damaged or does not fit"]
    ),
    "segment_shard: a mosaic half a pixel off": Fault(
        raster("mosaic_a.tif", lambda f: setattr(f, "bounds", tuple(v + 0.0004 for v in f.bounds))),
        ["shifted by a part of a pixel"],
    ),
    "segment_shard: a mosaic in metres": Fault(
        profile("mosaic_a.tif", crs="EPSG:3857"), ["EPSG:3857", "allowed: EPSG:4326"]
    ),
    "segment_shard: a damaged mosaic": Fault(cut_short("mosaic_a.tif", 0.6), ["mosaic_a.tif"]),
    "classify_semantic: no card": Fault(removed("semantic/card.json"), ["card.json", "train_semantic"]),
    "classify_semantic: a card of other features": Fault(
        card("semantic/card.json", features=["slope"]), ["trained for other features", "train_semantic"]
    ),
    "classify_semantic: a card that is a text": Fault(text("semantic/card.json", "no"), ["card.json"]),
    "classify_semantic: a model that is a web page": Fault(
        lambda b: (card("semantic/card.json", kind="trees")(b), web_page_instead("semantic/model.json")(b)),
        ["model.json cannot be read", "train_semantic"],
    ),
    "choose_options: classes nobody knows": Fault(
        card("integration/card.json", classes_present=["all"]), ["integration", "'all'"]
    ),
}  # fmt: skip

TABLES = {
    "measure_terrain: no elevation": Fault(removed("dem.tif"), ["dem.tif", "terrain.dem"]),
    "measure_terrain: rotated": Fault(rotated("dem.tif"), ["dem.tif is rotated", "gdalwarp"]),
    "measure_terrain: no crs": Fault(profile("dem.tif", crs=None), ["no coordinate reference system"]),
    "measure_terrain: of another place": Fault(
        place("dem.tif", (10, 50, 11, 51)), ["covers none of the 4 blocks", "terrain.dem"]
    ),
    "measure_terrain: latitude before longitude": Fault(
        place("dem.tif", (23.95, 111.95, 24.15, 112.15)), ["covers none", "terrain.dem"]
    ),
    "measure_terrain: a band that is not there": Fault(
        lambda b: b.settings.update(band=3), ["no band 3", "1 to 1"]
    ),
    "measure_terrain: damaged": Fault(cut_short("dem.tif", 0.5), ["dem.tif"]),
    "measure_features: probabilities for masks": Fault(
        values("mask_a.tif", lambda a: a * 0 + 77), ["no cropland mask", "value 77", "segment_shard"]
    ),
    "measure_features: an image for a mask": Fault(copied("mask_a.tif", "a.tif"), ["a.tif"]),
    "measure_features: a float mask": Fault(
        values("mask_a.tif", lambda a: a.astype(np.float32) + 0.5), ["no cropland mask"]
    ),
    "measure_features: quality of the other source": Fault(
        copied("quality_a.parquet", "quality_b.parquet"), ["of another source", "allowed: a"]
    ),
    "measure_features: a coverage type nobody knows": Fault(
        column("quality_a.parquet", lambda t: t.assign(coverage_type="fog")), ["given: fog", "snow_ice"]
    ),
    "measure_features: a lost column": Fault(
        column("terrain.parquet", lambda t: t.drop(columns="slope")), ["no column 'slope'", "measure_terrain"]
    ),
    "measure_features: a table cut short": Fault(cut_short("terrain.parquet"), ["terrain.parquet", "cannot be read"]),
    "measure_features: a CSV called Parquet": Fault(
        text("terrain.parquet", "block_id,slope\n"), ["terrain.parquet", "a Parquet table"]
    ),
    "measure_features: a block twice": Fault(
        column("terrain.parquet", lambda t: pd.concat([t, t.head(1)])), ["twice or more", "E11200N24"]
    ),
    "measure_features: a block of another plan": Fault(
        column("terrain.parquet", lambda t: pd.concat([t, t.head(1).assign(block_id="E10000N1000")])),
        ["without its being planned", "E10000N1000"],
    ),
    "choose_options: a correction nobody knows": Fault(
        text("corrections.csv", "block_id,option\nE11200N2400,mapbox\n"),
        ["corrections.csv, line 2", "given: mapbox", "only_b", "b is 'b'"],
    ),
    "choose_options: a correction of another place": Fault(
        text("corrections.csv", "block_id,option\nE1N1,both\n"), ["line 2", "E1N1 is no planned block"]
    ),
    "choose_options: a correction twice": Fault(
        text("corrections.csv", "block_id,option\n" + "E11200N2400,both\n" * 2), ["labelled twice", "line 2 and line 3"]
    ),
    "choose_options: corrections of Excel": Fault(
        text("corrections.csv", "block_id;option\nE11200N2400;both\n"), ["no column 'block_id'", "semicolons"]
    ),
    "integrate_shard: an option nobody knows": Fault(
        column("options.parquet", lambda t: t.assign(option="all")), ["given: all", "neither, only_a"]
    ),
    "integrate_shard: a table without options": Fault(
        copied("options.parquet", "terrain.parquet"), ["no column 'option'", "choose_options"]
    ),
    "integrate_shard: a damaged plan": Fault(cut_short("blocks.parquet"), ["blocks.parquet", "cannot be read"]),
    "compare_shard: a product of floats": Fault(
        values("product.tif", lambda a: a / np.float32(10)), ["no map of classes", "float32", "-ot Byte"]
    ),
    "compare_shard: a coloured product": Fault(
        values("product.tif", lambda a: np.repeat(a, 3, axis=0)), ["product.tif", "3 bands", "classes"]
    ),
    "compare_shard: a rotated product": Fault(rotated("product.tif"), ["is rotated", "gdalwarp"]),
    "compare_shard: a product without crs": Fault(profile("product.tif", crs=None), ["no coordinate reference"]),
    "compare_shard: a product cut short": Fault(cut_short("product.tif", 0.5), ["product.tif"]),
    "compare_shard: a zip cut short": Fault(
        lambda b: (zipped("product.zip", "a.tif", b"x" * 1000)(b), cut_short("product.zip")(b)),
        ["zip", "product.zip cannot be read", "download it anew"],
    ),
    "compare_shard: a zip without a map": Fault(zipped("product.zip", "a.txt", b"x"), ["holds no GeoTIFF"]),
    "compare_shard: a zip with a web page": Fault(
        zipped("product.zip", "a.tif", b"<html></html>"), ["product.zip/a.tif", "cannot be opened"]
    ),
    "compare_shard: a map with strange values": Fault(
        values("map.tif", lambda a: a * 0 + 9), ["map.tif", "9"]
    ),
    "validate_province: areas with thousands separators": Fault(
        text("areas.csv", 'province,area_ha,source\np,"1,234",survey\n'), ["not positive", "given: 1,234"]
    ),
    "validate_province: areas with a decimal comma": Fault(
        text("areas.csv", "province,area_ha,source\np,1234,5,survey\n"), ["line 2: 4 fields", "1234.5"]
    ),
    "validate_province: a negative area": Fault(
        text("areas.csv", "province,area_ha,source\np,-5,survey\n"), ["not positive", "given: -5"]
    ),
    "validate_province: another province": Fault(
        text("areas.csv", "province,area_ha,source\nq,5,survey\n"), ["0 rows for province 'p'", "exactly one"]
    ),
    "validate_province: areas in gbk": Fault(
        bytes_instead("areas.csv", "province,area_ha,source\np,5,统计\n".encode("gbk")), ["areas.csv", "UTF-8"]
    ),
    "export_counties: an image for a map": Fault(copied("map.tif", "a.tif"), ["not a cropland map", "3 band"]),
    "export_counties: a folder for a map": Fault(folder_instead("map.tif"), ["map.tif"]),
    "export_counties: strange values": Fault(
        values("map.tif", lambda a: a * 0 + 2), ["unknown values", "254 unusable imagery"]
    ),
}  # fmt: skip

FAULTS = {f"build_mosaic: {name}": fault for name, fault in IMAGERY.items()} | MODELS | TABLES


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return Shard(tmp_path_factory.mktemp("template") / "w").folder


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_one_message(tmp_path, template, name):
    bench = Shard(tmp_path / "w", template)
    FAULTS[name].spoil(bench)
    bench.stage = name.partition(":")[0]
    if bench.stage == "build_mosaic":  # the source that is not at fault need not be read
        kept = (
            "b"
            if any("b." in word or "tile" in word for word in (*FAULTS[name].words, name))
            else "a"
        )
        bench.sources = {kept: bench.sources[kept]}
    refuse(end_of_job(bench), FAULTS[name].words, out=bench.out)

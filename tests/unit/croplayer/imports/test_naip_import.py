"""Import of images named by their centre, on small generated images."""

from __future__ import annotations

import json
import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from cropbase.areas import polygon_area_ha
from cropbase.errors import InputError
from croplayer.active.labels import import_labels
from croplayer.grid import BlockGrid
from croplayer.imports.footprints import Footprint
from croplayer.imports.naip_fields import import_naip_fields, pixel_size_m, resolve
from croplayer.imports.via import ViaError, ViaRegion
from croplayer.settings.labels import LabelSettings

NAMES = ["41.100000--90.100000", "41.300000--90.500000", "42.5000000000001--91.5000000000001"]
SIZE = 64
LAYERS = ("cropland", "extents", "province", "counties")


def polygon(*points) -> dict:
    xs, ys = zip(*points, strict=True)
    shape = {"name": "polygon", "all_points_x": list(xs), "all_points_y": list(ys)}
    return {"shape_attributes": shape, "region_attributes": {}}


@pytest.fixture
def naip(tmp_path):
    """Three generated images with fields, and a function that imports them."""
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(5)
    content = {}
    for name in NAMES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(
                images / f"{name}.png",
                "w",
                driver="PNG",
                height=SIZE,
                width=SIZE,
                count=3,
                dtype="uint8",
            ) as dataset:
                dataset.write(rng.integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8))
        content[name] = {
            "filename": f"{name}.png",
            "regions": [
                polygon((4, 4), (20, 4), (20, 20), (4, 20)),
                polygon((16, 4), (40, 4), (40, 20), (16, 20)),
                polygon((50, 50), (90, 50), (90, 60), (50, 60)),
            ],
        }
    (tmp_path / "via.json").write_text(json.dumps(content))

    def run(out="out", **more) -> dict:
        folder = tmp_path / out
        import_naip_fields(
            images=images,
            annotations=tmp_path / "via.json",
            output_images=folder / "images",
            **{name: folder / f"{name}.gpkg" for name in LAYERS},
            report=folder / "report.csv",
            **({"folds": 2} | more),
        )
        return {name: gpd.read_file(folder / f"{name}.gpkg") for name in LAYERS} | {
            "report": pd.read_csv(folder / "report.csv")
        }

    run.images, run.via, run.content = images, tmp_path / "via.json", content
    return run


def test_pixel_sizes_of_names():
    assert pixel_size_m("41.186372--88.187202") == 1.0
    assert pixel_size_m("42.680193--89.88643") == 1.0
    assert pixel_size_m("38.8381287601523--95.04570706051") == 2.5
    assert pixel_size_m("43.4066311779089--83.6220222827469") == pytest.approx(1.953125)


def test_pixels_and_place_of_an_image(naip, tmp_path):
    out = naip()
    for name, row in zip(sorted(NAMES), out["report"].itertuples(), strict=True):
        with (
            warnings.catch_warnings(),
            rasterio.open(tmp_path / "out" / "images" / f"{row.image_id}.tif") as there,
        ):
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(naip.images / f"{name}.png") as here:
                np.testing.assert_array_equal(there.read(), here.read([1, 2, 3]))
            assert there.crs.to_epsg() == 4326
            assert there.nodata is None
            lon, lat = there.xy(SIZE / 2 - 0.5, SIZE / 2 - 0.5)
            assert (lat, lon) == pytest.approx((row.lat, row.lon), abs=1e-9)


def test_fields_lie_where_they_were_drawn(naip, tmp_path):
    out = naip()
    image_id = out["report"]["image_id"][0]
    field = out["cropland"].query("polygon_id == @image_id + '-000'").geometry.iloc[0]
    with rasterio.open(tmp_path / "out" / "images" / f"{image_id}.tif") as dataset:
        t = dataset.transform
        west, north, east, south = t.c + 4 * t.a, t.f + 4 * t.e, t.c + 20 * t.a, t.f + 20 * t.e
    assert field.bounds == pytest.approx((west, south, east, north), abs=1e-12)
    assert polygon_area_ha(field) * 10_000 == pytest.approx(16 * 16, rel=1e-4)


def test_overlaps_are_cut_from_the_later_and_the_union_stays(naip, caplog):
    out = naip()
    mine = out["cropland"][out["cropland"]["image_id"] == out["report"]["image_id"][0]]
    areas = [polygon_area_ha(p) * 10_000 for p in mine.geometry]
    np.testing.assert_allclose(areas, [256, 24 * 16 - 4 * 16, 14 * 10], rtol=1e-4)
    assert out["report"]["overlaps_cut"].tolist() == [1, 1, 1]
    assert out["report"]["clipped"].tolist() == [1, 1, 1]
    assert "3 of 9 drawn fields overlapped" in caplog.text


def test_self_intersections_are_mended_and_counted():
    bowtie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    footprint = Footprint("a", 41.0, -90.0, 1.0, SIZE, SIZE)
    fields, row = resolve([ViaRegion(0, bowtie, {})], footprint)
    assert row["mended"] == 1
    assert fields[0][1].is_valid
    assert polygon_area_ha(fields[0][1]) * 10_000 == pytest.approx(50, rel=1e-4)


def test_field_beside_its_image_is_left_out_and_counted():
    footprint = Footprint("a", 41.0, -90.0, 1.0, SIZE, SIZE)
    fields, row = resolve([ViaRegion(0, shapely.box(100, 100, 120, 120), {})], footprint)
    assert fields == []
    assert row["without_ground"] == 1


def test_layers_fit_together(naip):
    out = naip()
    boxes = shapely.union_all(out["extents"].geometry)
    assert shapely.equals(boxes, out["province"].geometry[0])
    assert set(out["counties"]["county_id"]) == set(out["extents"]["extent_id"])
    assert set(out["extents"]["split"]) == {"train", "validation"}
    assert (out["extents"]["fold"].eq(0) == out["extents"]["split"].eq("validation")).all()


def test_what_was_imported_passes_the_checks_of_labels(naip, tmp_path):
    out = naip()
    grid = BlockGrid()
    blocks = grid.blocks_touching(out["province"].geometry[0])
    gpd.GeoDataFrame(
        {"block_id": [grid.block_id(b) for b in blocks]},
        geometry=[grid.polygon(b) for b in blocks],
        crs=4326,
    ).to_parquet(tmp_path / "blocks.parquet")
    import_labels(
        cropland=tmp_path / "out" / "cropland.gpkg",
        extents=tmp_path / "out" / "extents.gpkg",
        blocks=tmp_path / "blocks.parquet",
        grid=grid,
        settings=LabelSettings(overlap_tolerance_m2=0.001),
        polygons_out=tmp_path / "polygons.parquet",
        extents_out=tmp_path / "extents.parquet",
        report=tmp_path / "report.csv",
    )
    got = gpd.read_parquet(tmp_path / "extents.parquet").set_index("extent_id")
    want = out["report"].set_index("image_id")
    share = (got["cropland_ha"] / got["area_ha"])[want.index]
    np.testing.assert_allclose(share, want["cropland_share"], rtol=1e-4)
    assert pd.read_csv(tmp_path / "report.csv")["severity"].unique().tolist() == ["info"]


def test_same_input_gives_same_bytes(naip, tmp_path):
    naip("one")
    naip("two")
    names = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert len(names) == 3 + 5
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_only_some_images_take_every_pixel_size(naip):
    out = naip(only=2)
    assert sorted(out["report"]["pixel_m"]) == [1.0, 2.5]


def test_fold_that_is_none_is_refused(naip):
    with pytest.raises(InputError, match="none of the folds"):
        naip(folds=2, validation_fold=2)


def test_image_without_annotations_is_refused(naip):
    del naip.content[NAMES[0]]
    naip.via.write_text(json.dumps(naip.content))
    with pytest.raises(ViaError, match=r"are not in .*via\.json"):
        naip()


def test_annotations_without_image_are_refused(naip):
    (naip.images / f"{NAMES[0]}.png").unlink()
    with pytest.raises(ViaError, match=r"1 image\(s\) of .* are not in"):
        naip()


def test_folder_without_images_is_refused(naip):
    for path in naip.images.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="holds no PNG images"):
        naip()


def test_damaged_image_is_refused(naip):
    (naip.images / f"{NAMES[0]}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"41\.100000--90\.100000\.png cannot be opened"):
        naip()

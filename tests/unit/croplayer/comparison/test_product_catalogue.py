"""The catalogue of products: valid, its schema current, faults told; tiles named as published."""

from pathlib import Path

import pytest
import shapely
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import ConfigError, InputError
from croplayer.comparison.catalogue import chosen_products, read_catalogue
from croplayer.comparison.codes import FILL, IN, OUT, STRANGE, UNCLEAR, state_table
from croplayer.comparison.tiling import tile_names
from croplayer.settings.comparison import ComparisonSettings, ProductFiles
from croplayer.settings.schema import catalogue_schema_text

CONFIG = Path(__file__).parents[4] / "config"
EIGHT = {"cacd", "clcd", "worldcover", "esri", "from_glc10", "glc_fcs30", "globeland30", "sinolc"}


def test_it_holds_the_eight_products_of_the_paper(catalogue):
    assert set(catalogue.products) == EIGHT


def test_schema_is_up_to_date():
    stored = (CONFIG / "products-schema.json").read_text(encoding="utf-8")
    assert stored == catalogue_schema_text(), "run `make schema`"


def test_what_the_paper_says_of_definitions(catalogue):
    of = {name: product.definition for name, product in catalogue.products.items()}
    assert {n for n in of if of[n].perennial_woody == "in"} == {
        "from_glc10",
        "globeland30",
        "sinolc",
    }
    assert {n for n in of if of[n].greenhouse == "out"} == {"cacd", "worldcover"}
    assert {n for n in of if of[n].greenhouse == "unclear"} == {"esri", "glc_fcs30"}
    assert all(d.annual_herbaceous == "in" for d in of.values())
    assert catalogue.products["from_glc10"].year == 2017


def edited(tmp_path, change):
    values = yaml.safe_load((CONFIG / "products.yaml").read_text())
    change(values["products"])
    path = tmp_path / "products.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p["clcd"].update(yeer=1), ["clcd.yeer", "year"]),
        (lambda p: p["clcd"]["classes"].append({"code": 2, "name": "x"}), ["code 2 stands twice"]),
        (lambda p: p["clcd"].update(fill_codes=[1]), ["code 1 is a class and a fill code"]),
        (lambda p: p["clcd"]["classes"][0].pop("cropland"), ["none is cropland"]),
        (lambda p: p["clcd"]["class_evidence"].pop("reason"), ["class_evidence", "reason"]),
        (lambda p: p["worldcover"]["tiling"].update(name="{latt}.tif"), ["unknown placeholder"]),
        (lambda p: p["worldcover"]["tiling"].pop("width_degrees"), ["needs width_degrees"]),
        (lambda p: p["esri"].update(download="http://x/"), ["{file} is missing"]),
    ],
)
def test_faults_are_one_readable_message(tmp_path, change, words):
    with pytest.raises(ConfigError) as caught:
        read_catalogue(edited(tmp_path, change))
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_product_lists_the_known_ones(catalogue):
    with pytest.raises(ConfigError, match="no product 'modis'") as caught:
        chosen_products(catalogue, {"modis": ProductFiles(files=("a.tif",))})
    assert "worldcover" in str(caught.value)


def test_a_product_without_an_open_address_is_not_downloaded(catalogue):
    with pytest.raises(ConfigError, match="no open direct address") as caught:
        chosen_products(catalogue, {"globeland30": ProductFiles(download=True)})
    assert "globallandcover" in str(caught.value)


def test_either_files_or_a_download():
    for values in ({}, {"files": ["a"], "download": True}):
        with pytest.raises(ValueError, match="give files, or download"):
            ProductFiles(**values)


def test_slope_edges_ascend():
    with pytest.raises(ValueError, match="ascending"):
        ComparisonSettings(slope_edges_degrees=(5.0, 2.0))


def test_states_of_codes(catalogue):
    table = state_table(catalogue.products["esri"], nodata=200)
    assert table[5] == IN and table[4] == UNCLEAR and table[2] == OUT
    assert table[0] == table[10] == table[200] == FILL
    assert table[3] == table[77] == STRANGE


def test_a_nodata_that_is_a_class_stays_the_class(catalogue):
    assert state_table(catalogue.products["cacd"], nodata=0)[0] == OUT


HERE = shapely.box(112.0, 24.01, 112.4, 24.3)


@pytest.mark.parametrize(
    ("name", "region", "tiles"),
    [
        ("worldcover", HERE, ["ESA_WorldCover_10m_2020_v100_N24E111_Map.tif"]),
        ("worldcover", shapely.box(-1, -1, 1, 1), [
            "ESA_WorldCover_10m_2020_v100_N00E000_Map.tif",
            "ESA_WorldCover_10m_2020_v100_N00W003_Map.tif",
            "ESA_WorldCover_10m_2020_v100_S03E000_Map.tif",
            "ESA_WorldCover_10m_2020_v100_S03W003_Map.tif",
        ]),
        ("from_glc10", HERE, ["fromglc10v01_24_112.tif"]),
        ("from_glc10", shapely.box(-1.5, -1.5, -1.1, -1.1), ["fromglc10v01_-2_-2.tif"]),
        # Two tiles that a public inventory names for the country around Nanning (22-24 N, 107-110 E).
        ("globeland30", shapely.box(107.5, 22.2, 109.5, 23.9), ["N48_20_2020LC030.zip", "N49_20_2020LC030.zip"]),
        # San Francisco (37.8 N, 122.4 W) lies in the tile that is named by its north-west corner.
        ("glc_fcs30", shapely.box(-122.5, 37.7, -122.3, 37.9), ["GLC_FCS30_2020_W125N40.tif"]),
        ("esri", HERE, ["49R_20200101-20210101.tif"]),
        ("esri", shapely.box(112.0, 23.9, 112.4, 24.1), ["49Q_20200101-20210101.tif", "49R_20200101-20210101.tif"]),
        ("clcd", HERE, ["CLCD_v01_2020_albert.tif"]),
    ],
)  # fmt: skip
def test_tiles_are_named_as_published(catalogue, name, region, tiles):
    assert list(tile_names(catalogue.products[name], region)) == tiles


def test_archives_of_regions_cannot_be_told(catalogue):
    with pytest.raises(InputError, match="archives of regions"):
        tile_names(catalogue.products["sinolc"], HERE)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["worldcover", "from_glc10", "glc_fcs30", "globeland30", "esri"]),
    st.floats(-179, 178),
    st.floats(-79, 79),
    st.floats(0.01, 14),
)
def test_the_tiles_cover_the_region_and_each_shares_ground(catalogue, name, west, south, size):
    region = shapely.box(west, south, min(west + size, 180), min(south + size, 80))
    found = tile_names(catalogue.products[name], region)
    boxes = [shapely.box(*bounds) for bounds in found.values()]
    assert shapely.union_all(boxes).buffer(1e-9).covers(region)
    assert all(box.intersects(region) for box in boxes)
    assert len(found) <= (size / 2 + 3) ** 2

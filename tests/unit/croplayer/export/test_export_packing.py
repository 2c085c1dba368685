"""Names of county files, and counties too large for one shapefile."""

from __future__ import annotations

import tarfile

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from croplayer.export.packing import add_shapefile, deterministic_tar, file_names, safe_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("广州市", "广州市"),
        ("a/b\\c:d", "a_b_c_d"),
        ("../etc", "etc"),
        ("  Two words ", "Two_words"),
        ("é", "é"),
        ("नगर", "नगर"),
        ("x" * 200, "x" * 60),
    ],
)
def test_names_keep_letters_of_every_script_and_nothing_a_path_could_mean(text, expected):
    assert safe_name(text) == expected


def test_names_that_would_collide_get_their_id_and_are_told(caplog):
    counties = pd.DataFrame(
        {
            "county_id": ["1", "2", "3"],
            "county": ["North/East", "north east", "South"],
            "city": ["C", "C", "C"],
        }
    )
    names = file_names(counties)
    assert names["3"] == "cf_C_South"
    assert {names["1"], names["2"]} == {"cf_C_North_East_1", "cf_C_north_east_2"}
    assert "would share the file name" in caplog.text


def test_a_county_without_city_is_named_by_itself():
    counties = pd.DataFrame({"county_id": ["1"], "county": ["Alone"], "city": [""]})
    assert file_names(counties) == {"1": "cf_Alone"}


def test_a_county_beyond_the_limit_of_shapefiles_is_split_and_told(tmp_path, caplog):
    frame = gpd.GeoDataFrame(
        {
            "polygon_id": [f"7-{k}" for k in range(300)],
            "county_id": "7",
            "county": "C",
            "city": "D",
            "area_ha": 1.0,
        },
        geometry=[shapely.box(k, 0, k + 0.5, 1) for k in range(300)],
        crs=4326,
    )
    path = tmp_path / "a.tar.gz"
    with deterministic_tar(path) as tar:
        used = add_shapefile(
            tar, frame, folder="p", name="cf_D_C", scratch=tmp_path, max_bytes=20_000
        )
    assert used == [f"cf_D_C_part{k}" for k in range(1, len(used) + 1)] and len(used) > 1
    assert "larger than a shapefile can be" in caplog.text
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path, filter="data")
    sizes = [(tmp_path / "p" / f"{name}.shp").stat().st_size for name in used]
    assert max(sizes) < 20_000
    read = pd.concat([gpd.read_file(tmp_path / "p" / f"{name}.shp") for name in used])
    assert read["polygon_id"].tolist() == frame["polygon_id"].tolist()

"""A nation's file: what its provinces share, and which provinces those are."""

import pytest
import yaml

from cropbase.errors import ConfigError
from croplayer.settings import load_settings, provinces_of

SOURCE = {"kind": "raster", "paths": ["{data_root}/{name}/*.tif"], "attribution": "nobody"}
SHARED = {
    "province": {"boundary": "b.gpkg", "counties": "c.gpkg"},
    "sources": {"here": SOURCE},
    "terrain": {"dem": ["d.tif"]},
    "labels": {"cropland": "{data_root}/labels/{name}/cropland.gpkg", "extents": "e.gpkg"},
    "export": {"min_area_ha": 0.5},
}


@pytest.fixture
def folder(tmp_path):
    for name in ("provinces", "nations"):
        (tmp_path / name).mkdir()
    write(tmp_path / "default.yaml", {"export": {"min_area_ha": 0.1}})
    write(tmp_path / "nations/land.yaml", SHARED)
    write(tmp_path / "provinces/east.yaml", {"extends": "land", "province": {"title": "East"}})
    west = {"extends": "land", "province": {"title": "West"}, "export": {"min_area_ha": 2}}
    write(tmp_path / "provinces/west.yaml", west)
    write(tmp_path / "provinces/island.yaml", {**SHARED, "province": {"title": "Alone"}})
    return tmp_path


def write(path, values):
    path.write_text(yaml.safe_dump(values))


def test_the_provinces_of_a_nation_are_those_that_extend_it(folder):
    assert provinces_of("land", folder) == ["east", "west"]


def test_a_province_is_laid_over_its_nation_and_this_over_the_default(folder):
    east, west = load_settings("east", folder), load_settings("west", folder)
    assert east.province.boundary == west.province.boundary
    assert (east.export.min_area_ha, west.export.min_area_ha) == (0.5, 2)


def test_the_name_of_the_province_is_filled_in(folder, monkeypatch):
    monkeypatch.setenv("CROPLAYER_DATA_ROOT", "root")
    assert str(load_settings("west", folder).labels.cropland) == "root/labels/west/cropland.gpkg"


def test_an_unknown_nation_lists_the_known_ones(folder):
    with pytest.raises(ConfigError, match="'sea'") as caught:
        provinces_of("sea", folder)
    assert "land" in str(caught.value)


def test_a_nation_without_provinces_says_what_to_write(folder):
    write(folder / "nations/empty.yaml", SHARED)
    with pytest.raises(ConfigError, match="no province extends") as caught:
        provinces_of("empty", folder)
    assert "extends: empty" in str(caught.value)


def test_a_province_cannot_extend_a_province(folder):
    write(folder / "provinces/south.yaml", {"extends": "west"})
    with pytest.raises(ConfigError, match="configuration of a nation 'west'"):
        load_settings("south", folder)


def test_nations_that_extend_one_another_in_a_ring_are_refused(folder):
    write(folder / "nations/land.yaml", {**SHARED, "extends": "sea"})
    write(folder / "nations/sea.yaml", {"extends": "land"})
    with pytest.raises(ConfigError, match="leads back to itself"):
        load_settings("east", folder)


@pytest.mark.parametrize("given", [3, ["land"], {"land": 1}])
def test_extends_that_is_no_name_is_refused(folder, given):
    write(folder / "provinces/east.yaml", {"extends": given})
    with pytest.raises(ConfigError, match="key `extends` must be the name"):
        load_settings("east", folder)


def test_a_fault_is_attributed_to_the_nations_file(folder):
    write(folder / "nations/land.yaml", {**SHARED, "export": {"min_area_ha": -1}})
    with pytest.raises(ConfigError, match=r"nations/land\.yaml: key 'export\.min_area_ha'"):
        load_settings("east", folder)

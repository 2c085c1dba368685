"""Every configuration of the repository is valid, and the schema for editors is up to date."""

import json
from pathlib import Path

import pytest
import yaml

from cropbase.errors import ConfigError
from croplayer.settings import load_settings
from croplayer.settings.schema import schema_text

REPOSITORY = Path(__file__).parents[4]
CONFIG = REPOSITORY / "config"
PROVINCES = sorted(p.stem for p in [*CONFIG.glob("provinces/*.yaml"), CONFIG / "demo.yaml"])


@pytest.mark.parametrize("name", PROVINCES)
def test_province_is_valid(name):
    assert load_settings(name, CONFIG).province.title


def test_schema_is_up_to_date():
    stored = (CONFIG / "schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(), "run `make schema`"


def test_every_key_is_described():
    def fields(node):
        for name, value in node.get("properties", {}).items():
            yield name, value
        for inner in node.get("$defs", {}).values():
            yield from fields(inner)

    bare = [name for name, value in fields(json.loads(schema_text())) if "description" not in value]
    assert bare == []


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "provinces").mkdir()
    for name in ("default.yaml", "demo.yaml"):
        (tmp_path / name).write_text((CONFIG / name).read_text())
    return tmp_path


def edit(folder, change):
    path = folder / "demo.yaml"
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))


def test_an_unknown_province_lists_the_known_ones(folder):
    with pytest.raises(ConfigError, match="no configuration of a province 'mars'") as caught:
        load_settings("mars", folder)
    assert "demo" in str(caught.value)


def test_placeholders_are_filled_and_tile_addresses_left_alone(folder, monkeypatch):
    monkeypatch.delenv("CROPLAYER_DATA_ROOT", raising=False)
    settings = load_settings("demo", folder, results="out")
    assert str(settings.province.boundary) == "out/demo/generated/province.gpkg"
    assert "{z}/{x}/{y}" in settings.sources["summer"].url
    # A copy of the configuration elsewhere brings its own catalogue.
    assert settings.comparison.catalogue == folder / "products.yaml"


def test_the_environment_wins_over_the_data_root_of_the_file(folder, monkeypatch):
    edit(folder, lambda v: v.update(terrain={"dem": ["{data_root}/a.tif"]}, data_root="here"))
    monkeypatch.setenv("CROPLAYER_DATA_ROOT", "/elsewhere")
    assert load_settings("demo", folder).terrain.dem == ("/elsewhere/a.tif",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda v: v["grid"].update(pixels_per_blok=1),
            ["grid.pixels_per_blok", "pixels_per_block"],
        ),
        (
            lambda v: v["grid"].update(pixels_per_block=2),
            ["grid.pixels_per_block", "given 2", "16"],
        ),
        (
            lambda v: v["province"].update(official_area_ha=0),
            ["official_area_ha", "greater than 0"],
        ),
        (lambda v: v["province"].pop("boundary"), ["province.boundary", "missing"]),
        (lambda v: v.update(sources={}), ["sources", "at least 1"]),
        (lambda v: v["sources"].update({"Third": v["sources"]["summer"]}), ["lower-case"]),
        (lambda v: v["sources"]["summer"].update(kind="wms"), ["sources.summer", "wms"]),
        (lambda v: v["sources"]["summer"].update(url="https://a/{zoom}/{x}/{y}"), ["{zoom}"]),
        (lambda v: v["sources"]["summer"].update(requests_per_second=0), ["requests_per_second"]),
        (lambda v: v["sources"]["summer"].update(datum="nad27"), ["datum", "gcj02"]),
        (lambda v: v.update(validation={"pixel_iou": 85}), ["validation.pixel_iou", "given 85"]),
        (lambda v: v["labels"].update(round=0), ["labels.round", "given 0"]),
    ],
)
def test_a_bad_value_is_one_readable_message(folder, change, words):
    edit(folder, change)
    with pytest.raises(ConfigError) as caught:
        load_settings("demo", folder)
    text = str(caught.value)
    assert "demo.yaml" in text or "default.yaml" in text
    for word in words:
        assert word in text, text

"""What people write into a province's YAML file: each mistake is one message that helps."""

from __future__ import annotations

import shutil

import pytest
import yaml
from fault_bench import Bench, Fault, end_of_command, folder_instead, refuse
from workspaces import REPOSITORY, merge

from croplayer.comparison.catalogue import chosen_products, read_catalogue
from croplayer.settings import load_settings

PROVINCE = """\
province:
  title: Guangdong
  boundary: data/province.gpkg
  counties: data/counties.gpkg
sources:
  google:
    kind: xyz
    url: "https://tiles.example.org/{z}/{x}/{y}.jpeg?key={key}"
    api_key_env: TILES_KEY
    terms_accepted: true
  aerial:
    kind: raster
    paths: ["data/aerial/*.tif"]
"""
FILE = "config/provinces/p.yaml"
PASTED = "AIzaSyD-planted-key-0123456789"


class Configuration(Bench):
    """A folder of configuration with one province."""

    name = "p"

    def build(self) -> None:
        (self.folder / "config/provinces").mkdir(parents=True)
        for name in ("default.yaml", "demo.yaml", "products.yaml"):
            shutil.copy(REPOSITORY / "config" / name, self.folder / "config")
        (self.folder / FILE).write_text(PROVINCE, "utf-8")

    def work(self) -> object:
        settings = load_settings(self.name, self.folder / "config")
        catalogue = read_catalogue(self.folder / "config/products.yaml")
        chosen_products(catalogue, settings.comparison.products)
        return settings


@pytest.fixture
def bench(tmp_path) -> Configuration:
    return Configuration(tmp_path / "w")


def text(old: str, new: str):
    """Replace a part of the file as an editor would."""

    def spoil(bench):
        path = bench.folder / FILE
        before = path.read_text("utf-8")
        assert old in before
        path.write_text(before.replace(old, new, 1), "utf-8")

    return spoil


def keys(**changes):
    """Merge keys into the file."""

    def spoil(bench):
        path = bench.folder / FILE
        values = yaml.safe_load(path.read_text("utf-8"))
        merge(values, changes)
        path.write_text(yaml.safe_dump(values, sort_keys=False), "utf-8")

    return spoil


def data(content: bytes):
    return lambda bench: (bench.folder / FILE).write_bytes(content)


def named(name: str):
    return lambda bench: setattr(bench, "name", name)


def xyz(**changes):
    return keys(sources={"google": changes})


FAULTS = {
    # ------------------------------------------------------------------------------ the file
    "tab": Fault(text("  title", "\ttitle"), ["p.yaml, line 2", "tab"]),
    "key given twice": Fault(
        text("  counties", "  title: Other\n  counties"), ["p.yaml, line 4", "'title'", "twice"]
    ),
    "section given twice": Fault(
        text("sources:", "province:\n  title: Other\nsources:"), ["p.yaml, line 5", "'province'"]
    ),
    "open quote": Fault(text('.jpeg?key={key}"', ".jpeg"), ["p.yaml, line", "not valid YAML"]),
    "colon in a title": Fault(text("Guangdong", "Guangdong: south"), ["p.yaml, line 2", "quot"]),
    "indentation": Fault(text("  counties", "   counties"), ["p.yaml, line 4", "indentation"]),
    "placeholder without quotes": Fault(
        text("boundary: data/province.gpkg", "boundary: {data_root}/province.gpkg"),
        ["p.yaml, line 3", "quot"],
    ),
    "a list": Fault(data(b"- province\n- sources\n"), ["p.yaml", "given: list", "keys and values"]),
    "a text": Fault(data(b"province\n"), ["p.yaml", "given: str"]),
    "empty": Fault(data(b""), ["key 'province' is missing", "key 'sources' is missing"]),
    "gbk": Fault(
        data(PROVINCE.replace("Guangdong", "广东").encode("gbk")), ["p.yaml", "UTF-8", "save"]
    ),
    "utf-16": Fault(data(PROVINCE.encode("utf-16")), ["p.yaml", "UTF-8", "save"]),
    "a null byte": Fault(data(PROVINCE.encode().replace(b"dong", b"d\0ng")), ["p.yaml"]),
    "folder": Fault(folder_instead(FILE), ["p.yaml", "cannot be read", "folder"]),
    "no such province": Fault(named("q"), ["'q'", "allowed: demo, p", "copy one of them"]),
    "alias without anchor": Fault(text("Guangdong", "*south"), ["p.yaml, line 2"]),
    "a tag of Python": Fault(
        text("Guangdong", "!!python/object/apply:os.getcwd []"), ["p.yaml, line 2", "python"]
    ),
    # ------------------------------------------------------------------------------ keys
    "unknown section": Fault(
        text("sources:", "source:"), ["unknown key 'source'", "did you mean 'sources'"]
    ),
    "unknown key in capitals": Fault(
        text("  title", "  Title"), ["unknown key 'province.Title'", "did you mean 'title'"]
    ),
    "hyphen for underscore": Fault(
        xyz(**{"terms-accepted": True}), ["sources.google.xyz.terms-accepted", "'terms_accepted'"]
    ),
    "number as key": Fault(keys(grid={5: 1}), ["'grid.5'", "given 5", "strings"]),
    "missing key": Fault(text("  title: Guangdong\n", ""), ["p.yaml", "'province.title' is missing"]),
    "a section that is a text": Fault(keys(grid="coarse"), ["'grid'", "given 'coarse'"]),
    "extends no nation": Fault(keys(extends="chna"), ["nation 'chna'", "nations", "allowed"]),
    "extends a number": Fault(keys(extends=3), ["`extends`", "given: 3"]),
    # ------------------------------------------------------------------------------ values
    "percent for a share": Fault(
        keys(validation={"area_agreement": 80}), ["validation.area_agreement", "given 80", "less than"]
    ),
    "thousands separators": Fault(
        keys(province={"official_area_ha": "1,234,567"}), ["official_area_ha", "'1,234,567'", "number"]
    ),
    "negative area": Fault(
        keys(province={"official_area_ha": -5}), ["official_area_ha", "given -5", "greater than 0"]
    ),
    "two official areas": Fault(
        keys(province={"official_area_ha": 5, "official_area_table": "a.csv"}),
        ["official_area_ha or official_area_table, not both"],
    ),
    "not a number": Fault(
        keys(province={"official_area_ha": float("nan")}), ["official_area_ha", "given nan"]
    ),
    "endless": Fault(xyz(timeout_seconds=float("inf")), ["timeout_seconds", "given inf"]),
    "metres for degrees": Fault(
        keys(grid={"block_degrees": 5000}), ["grid.block_degrees", "given 5000"]
    ),
    "blocks that do not fill a degree": Fault(
        keys(grid={"block_degrees": 0.07}), ["grid", "0.07"]
    ),
    "half a pixel": Fault(
        keys(grid={"pixels_per_block": 576.5}), ["grid.pixels_per_block", "given 576.5", "integer"]
    ),
    "yes for a path": Fault(
        keys(province={"boundary": True}), ["province.boundary", "given True", "path"]
    ),
    "overlap as wide as the chip": Fault(
        keys(segmentation={"chip_pixels": 128, "overlap_pixels": 128}),
        ["overlap_pixels", "128"],
    ),
    "round by name": Fault(keys(labels={"round": "latest"}), ["labels.round", "'latest'", "integer"]),
    "unknown architecture": Fault(
        keys(segmentation={"architecture": "unet"}), ["segmentation", "'unet'", "mask2former"]
    ),
    "unknown product": Fault(
        keys(comparison={"products": {"worldcovr": {"files": ["a.tif"]}}}),
        ["worldcovr", "worldcover"],
    ),
    "a year of two digits": Fault(
        keys(comparison={"map_year": 20}), ["comparison.map_year", "given 20"]
    ),
    # ------------------------------------------------------------------------------ sources
    "three sources": Fault(
        keys(sources={"c": {"kind": "raster", "paths": ["c.tif"]}}), ["'sources'", "at most 2"]
    ),
    "no source": Fault(lambda b: keys(sources=None)(b) or keys(sources={})(b), ["'sources'", "1"]),
    "source in capitals": Fault(
        text("  google:", "  Google-Maps:"), ["Google-Maps", "lower-case letters, digits and _"]
    ),
    "unknown kind": Fault(
        xyz(kind="wms"), ["sources.google", "'wms'", "'xyz', 'raster', 'mbtiles'"]
    ),
    "kind forgotten": Fault(xyz(kind=None), ["sources.google", "kind"]),
    "zoom beyond all maps": Fault(xyz(zoom=30), ["zoom", "given 30", "less than or equal to 23"]),
    "address without tile": Fault(
        xyz(url="https://tiles.example.org/tile.png"), ["sources.google", "url", "{x}"]
    ),
    "unknown placeholder": Fault(
        xyz(url="https://tiles.example.org/{zoom}/{x}/{y}.png"), ["url", "{zoom}", "{z}"]
    ),
    "no scheme": Fault(xyz(url="tiles.example.org/{z}/{x}/{y}.png"), ["url", "http"]),
    "key pasted into the address": Fault(
        xyz(url="https://t.example.org/{z}/{x}/{y}.png?access_token=" + PASTED), ["url", "api_key_env"]
    ),
    "key pasted for its variable": Fault(xyz(api_key_env=PASTED), ["api_key_env", "variable"]),
    "no requests": Fault(xyz(requests_per_second=0), ["requests_per_second", "greater than 0"]),
    "digest that is none": Fault(xyz(placeholder_sha256=["abc"]), ["placeholder_sha256", "abc"]),
    "tiff tiles": Fault(xyz(formats=["tiff"]), ["formats", "'tiff'", "'png'"]),
    "no rasters": Fault(keys(sources={"aerial": {"paths": []}}), ["sources.aerial", "paths"]),
    "values turned round": Fault(
        keys(sources={"aerial": {"value_range": [3000, 0]}}), ["value_range", "3000"]
    ),
    "band nought": Fault(keys(sources={"aerial": {"bands": [0, 1, 2]}}), ["bands", "0"]),
    "two bands": Fault(keys(sources={"aerial": {"bands": [1, 2]}}), ["bands"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_one_message(bench, name):
    FAULTS[name].spoil(bench)
    message = refuse(end_of_command(bench.work), FAULTS[name].words)
    assert PASTED not in message, "an API key is repeated"


def test_without_a_mistake_it_loads(bench):
    assert list(bench.work().sources) == ["google", "aerial"]

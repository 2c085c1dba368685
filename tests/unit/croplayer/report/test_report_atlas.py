"""The standalone report of a province: what its page and its tiles hold."""

from __future__ import annotations

import html
import io
import json
import re

import numpy as np
import pytest
import rasterio
from desk_province import GRID, SOURCES
from PIL import Image
from report_province import COUNTY, make_report_province, results_of, write_report_of

from cropbase.atlas.items import item_parts
from cropbase.errors import InputError
from cropbase.tables import read_geotable
from croplayer.report.contents import CONTENTS, WHEN


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    results = make_report_province(tmp_path_factory.mktemp("report"))
    write_report_of(results)
    return results


@pytest.fixture(scope="module")
def page(made):
    return (made / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(page):
    found = re.search(r'<script type="application/json" id="atlas-data">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def test_items_have_known_conditions_and_words():
    assert {item.when for item in CONTENTS} <= set(WHEN)
    assert all(item.title and item.caption and item.path for item in CONTENTS)


def test_what_is_there_is_shown_and_the_rest_is_named_with_its_reason(page):
    assert '<figure id="areas">' in page and 'src="data:image/png;base64,' in page
    assert '<section class="item" id="accuracy">' in page
    absent = page[page.index('<ul class="absent">') :]
    absent = absent[: absent.index("</ul>")]
    shown = {"areas", "accuracy"}
    for item in CONTENTS:
        listed = f"{html.escape(item.title)} <span>" in absent
        assert listed == (item.key not in shown), item.key
    assert html.escape(WHEN["products"]) in absent and html.escape(WHEN["always"]) in absent


def test_files_of_an_earlier_configuration_are_not_shown(tmp_path):
    (tmp_path / "figures").mkdir()
    Image.new("RGB", (10, 10)).save(tmp_path / "figures" / "products_iou.png")
    numbered, _, absent = item_parts(CONTENTS, tmp_path, parts={"always"}, missing=WHEN)
    assert numbered == [] and "IoU of existing products" in absent
    numbered, _, absent = item_parts(CONTENTS, tmp_path, parts={"products"}, missing=WHEN)
    assert [part.key for part in numbered] == ["products_iou"]
    assert "IoU of existing products" not in absent


def test_names_never_become_markup(page, data):
    assert "<b>&amp;" not in page and "<i>" not in page
    assert page.count("</script>") == page.count("<script")
    assert data["outlines"][0]["features"][0]["name"] == COUNTY
    assert html.escape("Tiny <i>place</i>") in page and html.escape("<pixel>") in page


def test_nothing_is_loaded_from_a_network(page):
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    opened = re.findall(r'(?:src|href|action|poster)="([^"#]*)"', markup)
    assert opened
    assert all(not re.match(r"(?:[a-z]+:)?//|http", address) for address in opened)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@import" not in style and "url(" not in style
    assert "sourceMappingURL" not in page


def test_the_foot_says_where_it_comes_from(page):
    foot = page[page.index('<footer id="foot">') :]
    for words in ("Generated data: no real place", "abc1", "abc2", "croplayer 0.", "rasterio",
                  "(c) google &lt;maps&gt;", "<dd>3</dd>", "Leaflet", "attribution:"):  # fmt: skip
        assert words in foot, words


def test_blocks_lie_where_the_grid_has_them(made, data):
    blocks = data["blocks"]
    for name, row, col in zip(blocks["ids"], blocks["rows"], blocks["cols"], strict=True):
        west, south, _, _ = GRID.bounds(GRID.parse_block_id(name))
        assert 90 - (row + 1) * blocks["size"] == pytest.approx(south)
        assert col * blocks["size"] - 180 == pytest.approx(west)
    facts = {title: columns for title, _, columns in blocks["facts"]}
    known = read_geotable(made / "report" / "blocks.parquet").set_index("block_id")
    cropland = facts["cropland, integrated map"][0]
    assert cropland == pytest.approx(known["cropland_ha"].loc[blocks["ids"]].tolist(), rel=1e-3)
    hand = facts["corrected by hand"][0]
    assert hand["words"][hand["values"][0]] == "yes: seen <i>by eye</i>"
    assert facts["probability of the option"][0][:2] == [None, 0.7]
    assert len(facts["sharpness (Eq. 1)"]) == len(SOURCES)


def test_a_tile_shows_the_map_that_lies_there(made, data):
    """The deepest tiles against the map, brute force at the middles of its 16-pixel fields."""
    zoom = data["zooms"][1]
    checked = 0
    for path in results_of(made).maps:
        with rasterio.open(path) as dataset:
            codes, t = dataset.read(1), dataset.transform
        for r in range(8, codes.shape[0], 48):
            for c in range(8, codes.shape[1], 48):
                lon, lat = t.c + t.a * (c + 0.5), t.f + t.e * (r + 0.5)
                x = (lon + 180) / 360 * 2**zoom * 256
                y = (0.5 - np.arctanh(np.sin(np.radians(lat))) / (2 * np.pi)) * 2**zoom * 256
                tile = made / f"report_files/map/{zoom}/{int(x // 256)}/{int(y // 256)}.webp"
                picture = np.asarray(Image.open(io.BytesIO(tile.read_bytes())).convert("RGBA"))
                red, green, blue, opacity = picture[int(y % 256), int(x % 256)].tolist()
                wanted = {1: [0, 158, 115], 254: [204, 121, 167]}.get(int(codes[r, c]))
                assert (opacity == 255) == (wanted is not None)
                assert wanted is None or [red, green, blue] == wanted
                checked += 1
    assert checked > 50


def test_a_damaged_figure_is_told(made):
    figure = made / "figures" / "overview.png"
    figure.write_bytes(b"no picture")
    try:
        with pytest.raises(InputError, match=r"figure .*overview.png cannot be read"):
            write_report_of(made, output=made / "x.html", tiles=made / "x_files")
    finally:
        figure.unlink()

"""The standalone report of a case: maps to choose from, units, cells, and what is not there."""

from __future__ import annotations

import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rasterio.windows import Window

from cropalloc.export.names import map_name
from cropalloc.grid.cellgrid import CellGrid
from cropalloc.report.atlas import CaseMaps, write_case_report
from cropalloc.report.contents import WHEN, case_contents
from cropalloc.settings.maps import MapSettings
from cropbase.browser import BROWSERS, headless_browser
from cropbase.rasters import write_cog
from cropbase.tables import write_csv, write_table

NAMES = MapSettings(country="TST")
GRID = CellGrid.from_bounds((10.0, 45.0, 10.1, 45.075), 30)
YEARS = (2000, 2010)
CROPS = ("rice", "tea_plant")


def values_of(crop, system, year):
    """(rows, columns) hectares, NaN outside: some cells without the crop."""
    rng = np.random.default_rng([CROPS.index(crop), "IHLA".index(system), year])
    values = np.round(rng.random((GRID.rows, GRID.columns)) * 50, 2)
    values[rng.random(values.shape) < 0.4] = 0
    values[0, 0] = np.nan
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("case")
    for year in YEARS:
        for crop in CROPS:
            for system in "IHLA":
                path = (
                    home / "maps" / str(year) / map_name(NAMES, crop=crop, system=system, year=year)
                )
                part = (Window(0, 0, GRID.columns, GRID.rows), values_of(crop, system, year)[None])
                write_cog(
                    path, [part], height=GRID.rows, width=GRID.columns, bands=1, dtype="float32",
                    transform=GRID.transform, nodata=float("nan"),
                )  # fmt: skip
        account = pd.DataFrame(
            {"system": ["A", "I"], "statistics_ha": [120.0, 9.0], "slack_ha": [20.0, 0.0],
             "map_ha": [100.0, 9.0], "judged": [True, False]}
        )  # fmt: skip
        write_csv(account, home / "maps" / f"account_{year}.csv")
    rows, cols = np.divmod(np.arange(GRID.rows * GRID.columns)[1:], GRID.columns)
    leaves = np.where(cols < 5, "w", "e")
    write_table(GRID.table(rows, cols, leaves), home / "cells.parquet")
    units = pd.DataFrame({"unit_id": ["w", "e"], "name": ["West <b>side</b>", "East"]})
    write_table(units, home / "units.parquet")
    write_report(home, maps_of(home), parts=["maps", "change"])
    return home


def maps_of(home):
    return CaseMaps(
        folders={year: home / "maps" / str(year) for year in YEARS},
        names=NAMES,
        cells=home / "cells.parquet",
        units=home / "units.parquet",
        accounts={year: home / "maps" / f"account_{year}.csv" for year in YEARS},
    )


def write_report(home, maps, *, page="report", parts=()):
    write_case_report(
        maps, output=home / f"{page}.html", tiles=home / f"{page}_files", name="test", title="Test <i>",
        years=YEARS, jobs=["001"], parts=parts, configuration={"crops": "config/crops.yaml"},
        inputs=[home / "cells.parquet"], tiles_megabytes=5, note="Generated data",
    )  # fmt: skip


def data_of(home):
    page = (home / "report.html").read_text(encoding="utf-8")
    found = re.search(r'id="atlas-data">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def test_every_crop_system_and_year_can_be_chosen(home):
    data = data_of(home)
    assert len(data["layers"]) == len(CROPS) * 4 * len(YEARS)
    assert len({tuple(layer["choice"]) for layer in data["layers"]}) == len(data["layers"])
    shown = [layer["choice"] for layer in data["layers"] if layer["shown"]]
    assert shown == [["Rice", "all systems", "2010"]]


def test_units_carry_the_sums_of_their_cells(home):
    units = data_of(home)["outlines"][0]["features"]
    assert [unit["name"] for unit in units] == ["East", "West <b>side</b>"]
    for unit, columns in zip(units, (slice(5, None), slice(0, 5)), strict=True):
        facts = dict(unit["facts"])
        for crop, title in zip(CROPS, ("Rice", "Tea plant"), strict=True):
            total = np.nansum(values_of(crop, "A", 2010)[:, columns])
            number, unit = facts[f"{title} 2010"].split()
            told = float(number) * {"ha": 1, "kha": 1000}[unit]
            assert told == pytest.approx(total, rel=6e-3)


def test_cells_carry_the_values_of_the_maps(home):
    cells = data_of(home)["blocks"]
    facts = {title: columns for title, _, columns in cells["facts"]}
    assert cells["word"] == "Cell" and cells["heads"] == ["A", "I", "H", "L"]
    for k in range(0, len(cells["ids"]), 7):
        row, col = cells["rows"][k] - GRID.first_row, cells["cols"][k] - GRID.first_col
        for system, column in zip("AIHL", facts["Tea plant 2000"], strict=True):
            wanted = values_of("tea_plant", system, 2000)[row, col]
            assert column[k] == pytest.approx(wanted, rel=1e-3)


def test_tiles_have_the_shade_of_their_cell(home):
    """Brute force at the middles of cells: colour by the square root of hectares over the top."""
    data = data_of(home)
    zoom = data["zooms"][1]
    layer = next(layer for layer in data["layers"] if layer["key"] == "rice_I_2010")
    shades = layer["legend"][0][1]
    every = np.concatenate([values_of("rice", "A", year).ravel() for year in YEARS])
    top = np.percentile(every[every > 0], 99)
    values = values_of("rice", "I", 2010)
    for row in range(GRID.rows):
        for col in range(GRID.columns):
            lon, lat = 10 + (col + 0.5) / 120, 45.075 - (row + 0.5) / 120
            x = (lon + 180) / 360 * 2**zoom * 256
            y = (0.5 - np.arctanh(np.sin(np.radians(lat))) / (2 * np.pi)) * 2**zoom * 256
            path = home / f"report_files/rice_I_2010/{zoom}/{int(x // 256)}/{int(y // 256)}.webp"
            pixel = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGBA"))
            red, green, blue, opacity = pixel[int(y % 256), int(x % 256)].tolist()
            if not values[row, col] > 0:
                assert opacity == 0
                continue
            place = round(np.sqrt(min(values[row, col] / top, 1)) * (len(shades) - 1))
            assert f"#{red:02x}{green:02x}{blue:02x}" == shades[place].lower()


def test_a_case_of_statistics_alone_has_no_map(home):
    write_report(home, None, page="alone")
    text = (home / "alone.html").read_text(encoding="utf-8")
    assert 'id="map"' not in text and "Leaflet" not in text
    assert WHEN["maps"].split(" (")[0] in text


def test_items_have_unique_keys_and_known_conditions():
    items = case_contents(YEARS, ["001", "002"])
    assert len({item.key for item in items}) == len(items)
    assert {item.when for item in items} <= set(WHEN)


@pytest.mark.skipif(not any(shutil.which(name) for name in BROWSERS), reason="no Chromium")
def test_choosing_a_crop_in_a_browser(home):
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    faults = []
    with headless_browser() as browser:
        tab = browser.new_context(viewport={"width": 400, "height": 800}).new_page()
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda told: told.type == "error" and faults.append(told.text))
        tab.on("requestfailed", lambda request: faults.append(request.url))
        tab.goto((home / "report.html").as_uri())
        tab.wait_for_selector("#map img.leaflet-tile-loaded[src*='/rice_A_2010/']")
        tab.get_by_label("Crop").select_option("Tea plant")
        tab.get_by_label("System").select_option("irrigated")
        tab.get_by_label("Year").select_option("2000")
        tab.wait_for_selector("#map img.leaflet-tile-loaded[src*='/tea_plant_I_2000/']")
        assert tab.locator("#map img[src*='/rice_A_2010/']").count() == 0
        assert "Tea plant, irrigated, 2000" in tab.locator("#legend").inner_text()
        tab.locator("#map").click(position={"x": 180, "y": 260})
        told = tab.locator(".leaflet-popup .told").inner_text()
        assert "Cell " in told and "Units: " in told
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    assert faults == []

"""The report of a province in a real browser, opened from the disk: the system's Chromium."""

from __future__ import annotations

import shutil

import pytest
from report_province import COUNTY, make_report_province, write_report_of

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

# A busy machine is no fault of the page.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report_of(make_report_province(tmp_path_factory.mktemp("browser")))


@pytest.fixture
def look(chromium, report):
    """Opens the page; errors of it, failed requests and anything but files fail the test."""
    faults = []

    def opened(page=report, width=1280, height=900, **context):
        view = {"width": width, "height": height}
        tab = chromium.new_context(viewport=view, **context).new_page()
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda told: told.type == "error" and faults.append(told.text))
        tab.on("requestfailed", lambda request: faults.append(f"failed: {request.url[:200]}"))
        tab.on("request", lambda request: request.url.startswith(("file://", "data:"))
               or faults.append(f"not a file: {request.url}"))  # fmt: skip
        tab.goto(page.as_uri())
        expect(tab.locator("#panel fieldset").first).to_be_visible()
        return tab

    yield opened
    assert faults == []


def loaded(tab, layer):
    return tab.locator(f"#map img.leaflet-tile-loaded[src*='/{layer}/']")


def test_pan_toggle_and_pop_up(look):
    tab = look()
    expect(loaded(tab, "imagery_google").first).to_be_visible()
    expect(loaded(tab, "map").first).to_be_visible()
    assert loaded(tab, "map").first.evaluate("image => image.naturalWidth") == 256

    # A layer on and off; imagery of one source at a time.
    tab.get_by_label("Mask B: mapbox").check()
    expect(loaded(tab, "mask_mapbox").first).to_be_visible()
    expect(tab.locator("#legend")).to_contain_text("Mask B: mapbox")
    tab.get_by_label("Mask B: mapbox").uncheck()
    expect(loaded(tab, "mask_mapbox")).to_have_count(0)
    tab.get_by_label("B: mapbox", exact=True).check()
    expect(loaded(tab, "imagery_mapbox").first).to_be_visible()
    expect(loaded(tab, "imagery_google")).to_have_count(0)

    # Opacity.
    tab.get_by_label("Opacity of the maps").fill("30")
    layer = tab.locator("#map .leaflet-layer").last
    expect(layer).to_have_css("opacity", "0.3")

    # Pan with the mouse: the ground moves by what the mouse does.
    pane = tab.locator("#map .leaflet-map-pane")
    before = pane.bounding_box()
    box = tab.locator("#map").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(*middle)
    tab.mouse.down()
    tab.mouse.move(middle[0] - 60, middle[1] - 25, steps=5)
    tab.mouse.up()
    tab.wait_for_timeout(700)
    after = pane.bounding_box()
    assert before["x"] - after["x"] >= 55 and before["y"] - after["y"] >= 20

    # A pop-up where one clicks, with the block and the county, whose name is no markup.
    tab.mouse.click(middle[0] - 40, middle[1] - 60)
    told = tab.locator(".leaflet-popup .told")
    expect(told).to_contain_text("Block E112")
    expect(told).to_contain_text("area fraction, integrated map")
    expect(told.locator("h3").last).to_contain_text("Counties: ")
    assert told.locator("i, b").count() == 0


def test_a_block_by_its_name_and_its_county(look):
    tab = look()
    tab.get_by_label("Id of a block").fill("e11200n2415")
    tab.get_by_role("button", name="Go to block").click()
    told = tab.locator(".leaflet-popup .told")
    expect(told).to_contain_text("Block E11200N2415")
    expect(told).to_contain_text(COUNTY)
    expect(told).to_contain_text("yes: seen <i>by eye</i>")
    tab.get_by_label("Id of a block").fill("nowhere")
    tab.keyboard.press("Enter")
    expect(tab.locator("#map-note")).to_have_text("There is no block nowhere here.")


def test_blocks_are_coloured_by_what_is_chosen(look):
    tab = look()
    tab.get_by_label("Coloured by").select_option("option")
    expect(tab.locator("#legend")).to_contain_text("Blocks: Integration option")
    tab.get_by_role("radio", name="none").check()
    tab.get_by_role("checkbox", name="Integrated map").uncheck()
    tab.get_by_label("Opacity of the blocks").fill("100")
    colours = """() => {
        const sheet = document.querySelector(".leaflet-blocks-pane canvas");
        const {data} = sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height);
        const seen = new Set();
        for (let k = 0; k < data.length; k += 4)
            if (data[k + 3] === 255) seen.add([data[k], data[k + 1], data[k + 2]].join());
        return [...seen];
    }"""
    tab.wait_for_function(f"() => ({colours})().includes('0,158,115')")
    seen = tab.evaluate(colours)
    assert "0,158,115" in seen and "230,159,0" in seen, "both, and only the second source"
    assert "0,114,178" not in seen, "no block takes the first source alone"


def test_the_keyboard_is_enough(look):
    tab = look()
    tab.locator("#map").focus()
    pane = tab.locator("#map .leaflet-map-pane")
    before = pane.bounding_box()
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_timeout(600)
    assert pane.bounding_box()["x"] > before["x"]
    tab.keyboard.press("Enter")
    expect(tab.locator(".leaflet-popup .told")).to_contain_text("Block E112")
    tab.keyboard.press("Escape")
    expect(tab.locator(".leaflet-popup")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_it_fits_and_can_be_read_by_everyone(look, width, scheme):
    tab = look(width=width, color_scheme=scheme)
    tab.get_by_label("Id of a block").fill("E11200N2410")
    tab.get_by_role("button", name="Go to block").click()
    expect(tab.locator(".leaflet-popup")).to_be_visible()
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    box, popup = (tab.locator(css).bounding_box() for css in ("#map", ".leaflet-popup"))
    assert box["x"] <= popup["x"] and popup["x"] + popup["width"] <= box["x"] + box["width"]
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}}
    found = Axe().run(tab, options=rules).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


def test_missing_tiles_are_told(chromium, report, tmp_path):
    alone = tmp_path / "report.html"
    shutil.copy(report, alone)
    tab = chromium.new_context().new_page()
    tab.goto(alone.as_uri())
    expect(tab.locator("#map-note")).to_contain_text("keep the two together")

"""The page in a real browser: the system's Chromium without a window."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from croplayer.desk.server import in_background

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

# A busy machine is no fault of the page.
expect.set_options(timeout=20_000)


@pytest.fixture
def address(open_desk):
    """The address of a desk in this process."""
    with in_background(open_desk()) as address:
        yield address


@pytest.fixture
def sit_down(chromium):
    """Opens the desk for an annotator; every error of the page fails the test."""
    faults = []

    def sit(address, name="Anna", width=1280, height=720, **context):
        view = {"width": width, "height": height}
        page = chromium.new_context(viewport=view, **context).new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("response", lambda r: r.status >= 400 and faults.append(f"{r.status} {r.url}"))
        page.goto(address)
        page.get_by_label("Your name").fill(name)
        page.get_by_role("button", name="Begin").click()
        expect(page.locator("#block-id")).not_to_have_text("No block")
        page.wait_for_selector("body:not([aria-busy])")
        return page

    yield sit
    assert faults == []


def choose(page, task):
    page.get_by_role("button", name=task).click()
    expect(page.get_by_role("button", name=task)).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector("body:not([aria-busy])")


def events(tiny):
    with sqlite3.connect(tiny.folder / "answers" / "desk.sqlite") as database:
        return database.execute("SELECT annotator, task, block_id, source, action, value, note"
                                " FROM events ORDER BY id").fetchall()  # fmt: skip


def answered(page, count):
    expect(page.locator("#bar-text")).to_have_text(f"{count} of 24")
    page.wait_for_selector("body:not([aria-busy])")


def test_an_annotator_works_with_the_keyboard_alone(tiny, address, sit_down):
    page = sit_down(address)
    choose(page, "Semantic class")
    first = page.locator("#block-id").text_content()
    page.keyboard.press("2")
    answered(page, 1)
    expect(page.locator("#block-id")).not_to_have_text(first)
    page.keyboard.press("n")
    page.keyboard.type("edge of a river: 1 2 3")
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    answered(page, 2)
    page.keyboard.press("x")
    expect(page.locator("#own")).to_contain_text("1 skipped")
    page.wait_for_selector("body:not([aria-busy])")
    page.keyboard.press("z")
    expect(page.locator("#own")).to_contain_text("0 skipped")
    page.wait_for_selector("body:not([aria-busy])")
    page.keyboard.press("Control+z")
    answered(page, 1)
    expect(page.get_by_label("Note")).to_have_value("edge of a river: 1 2 3")
    page.keyboard.press("k")
    expect(page.locator("#block-id")).to_have_text(first)
    expect(page.locator("[data-value=FP]")).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector("body:not([aria-busy])")
    page.keyboard.press("1")
    expect(page.locator("[data-value=TP] .count")).to_have_text("1")
    block, source = first.split(", ")
    kept = events(tiny)
    assert kept[0] == ("Anna", "semantic", block, source, "answer", "FP", "")
    assert kept[1][4:] == ("answer", "Artifacts", "edge of a river: 1 2 3")
    assert [row[4] for row in kept] == ["answer", "answer", "skip", "undo", "undo", "answer"]
    assert kept[5][2:6] == (block, source, "answer", "TP")


def test_both_maps_show_the_block_and_move_in_step(address, sit_down):
    page = sit_down(address)
    choose(page, "Integration option")
    tiles = page.locator("#map-left .leaflet-tile-loaded, #map-right .leaflet-tile-loaded")
    expect(tiles.nth(7)).to_be_attached()
    sheets = [page.locator(f"#map-{side}").bounding_box() for side in ("left", "right")]
    assert abs(sheets[0]["width"] - sheets[1]["width"]) < 2 and sheets[1]["x"] > sheets[0]["x"]

    def frames():
        return [
            page.locator(f"#map-{side} path").first.bounding_box() for side in ("left", "right")
        ]

    def in_step():
        boxes = frames()
        return (
            all(
                abs((boxes[0][k] - sheets[0][k]) - (boxes[1][k] - sheets[1][k])) < 1.5 for k in "xy"
            )
            and abs(boxes[0]["width"] - boxes[1]["width"]) < 1.5
        )

    before = frames()
    assert in_step()
    middle = sheets[1]["x"] + sheets[1]["width"] / 2, sheets[1]["y"] + sheets[1]["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 30, steps=4)
    page.mouse.up()
    assert in_step() and abs(frames()[0]["x"] - before[0]["x"] - 60) < 3
    page.keyboard.press("+")
    assert in_step() and frames()[0]["width"] > before[0]["width"] * 1.2
    page.keyboard.press("f")
    assert in_step() and abs(frames()[0]["x"] - before[0]["x"]) < 1.5


def colours(page, left, top, width, height):
    """Mean colour of a part of the screen."""
    from io import BytesIO

    import numpy as np
    from PIL import Image

    clip = {"x": left, "y": top, "width": width, "height": height}
    image = Image.open(BytesIO(page.screenshot(clip=clip))).convert("RGB")
    return np.asarray(image).astype(float).reshape(-1, 3).mean(axis=0)


def test_the_slider_uncovers_the_mask_and_keys_move_it(address, sit_down):
    page = sit_down(address)
    choose(page, "Semantic class")
    page.get_by_label("Opacity").fill("100")
    expect(page.locator("#stage")).to_have_attribute("data-mode", "mask")
    expect(
        page.locator("#map-right .leaflet-masks-pane .leaflet-tile-loaded").first
    ).to_be_attached()
    page.wait_for_load_state("networkidle")
    box = page.locator("#stage").bounding_box()
    strip = (box["x"] + box["width"] * 0.55, box["y"] + 60, 60, box["height"] - 120)
    shown = colours(page, *strip)
    slider = page.get_by_role("slider", name="Compare")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", "100")
    plain = colours(page, *strip)
    assert abs(shown - plain).max() > 8, "the mask lies right of the line"
    page.keyboard.press("Home")
    assert abs(colours(page, *strip) - shown).max() < 1
    # Dragged with the pointer to a quarter.
    handle = slider.bounding_box()
    page.mouse.move(handle["x"] + 11, handle["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, handle["y"] + 20, steps=3)
    page.mouse.up()
    expect(slider).to_have_attribute("aria-valuenow", "25")


def test_the_mask_can_be_toggled_and_faded(address, sit_down):
    page = sit_down(address)
    choose(page, "Integration option")
    mask = page.locator("#map-left .leaflet-masks-pane .leaflet-layer")
    expect(mask).to_be_attached()
    page.keyboard.press("m")
    expect(mask).not_to_be_attached()
    page.keyboard.press("m")
    page.keyboard.press("]")
    assert mask.evaluate("layer => layer.style.opacity") == "0.6"
    source = "#map-left .leaflet-masks-pane img"
    assert "/tiles/mask/google/" in page.locator(source).first.get_attribute("src")
    page.keyboard.press("o")
    expect(page.locator(source).first).to_have_attribute(
        "src", re.compile("/tiles/outline/google/")
    )


def test_a_filter_and_the_way_back_from_its_end(address, sit_down):
    page = sit_down(address)
    choose(page, "Semantic class")
    page.keyboard.press("x")
    expect(page.locator("#own")).to_contain_text("1 skipped")
    page.locator("#scope").select_option("skipped")
    page.wait_for_selector("body:not([aria-busy])")
    skipped = page.locator("#block-id").text_content()
    page.keyboard.press("2")  # the list has not kept the keyboard
    answered(page, 1)
    expect(page.locator("#nothing")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("#block-id")).to_have_text(skipped)
    expect(page.locator("[data-value=FP]")).to_have_attribute("aria-pressed", "true")


def test_two_annotators_in_two_browsers(address, sit_down):
    anna, ben = sit_down(address, "Anna"), sit_down(address, "Ben")
    blocks = [page.locator("#block-id").text_content() for page in (anna, ben)]
    assert blocks[0] != blocks[1]
    ben.get_by_label("Go to block").fill(blocks[0].split(",")[0])
    ben.get_by_role("button", name="Go", exact=True).click()
    expect(ben.locator("#block-others")).to_contain_text("in the hands of Anna")
    expect(ben.locator("#choices button").first).to_be_disabled()


def test_an_answer_waits_in_the_browser_until_the_desk_is_back(tiny, sit_down, chromium):
    with tiny.served() as (process, address):
        page = sit_down(address)
        choose(page, "Semantic class")
        block = page.locator("#block-id").text_content()
        process.kill()
        process.wait()
        page.keyboard.press("3")
        expect(page.locator("#message")).to_contain_text("kept in this browser")
        kept = page.evaluate(
            "Object.keys(localStorage).filter(k => k.startsWith('desk-undelivered-'))"
        )
        assert len(kept) == 1
        assert events(tiny) == []
        port = address.rstrip("/").rpartition(":")[2]
        with tiny.served("--port", port):
            expect(page.locator("#block-id")).not_to_have_text(block)
            assert (
                page.evaluate(
                    "Object.keys(localStorage).some(k => k.startsWith('desk-undelivered-'))"
                )
                is False
            )
    assert [row[2:6] for row in events(tiny)] == [(*block.split(", "), "answer", "Noise")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_fault_of_access(address, sit_down, scheme):
    """axe-core: contrast, labels, roles, order of headings, in three views and the help."""
    page = sit_down(address, color_scheme=scheme)
    found = []
    views = {"light": ("Coverage type", "Semantic class"), "dark": ("Integration option",)}
    for task in views[scheme]:
        choose(page, task)
        page.wait_for_load_state("networkidle")
        found += Axe().run(page).response["violations"]
    page.keyboard.press("?")
    found += Axe().run(page).response["violations"]
    told = [
        (fault["id"], node["html"], node["failureSummary"])
        for fault in found
        for node in fault["nodes"]
    ]
    assert told == [], json.dumps(told, indent=1)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (2560, 1440)])
def test_everything_fits_on_the_screen(address, sit_down, width, height):
    page = sit_down(address, width=width, height=height)
    for task in ("Coverage type", "Semantic class", "Integration option"):
        choose(page, task)
        overflow = page.evaluate(
            "() => [document.documentElement.scrollWidth - innerWidth,"
            " document.documentElement.scrollHeight - innerHeight]"
        )
        assert max(overflow) <= 0
        stage = page.locator("#stage").bounding_box()
        assert stage["height"] > height * 0.55
        last = page.get_by_label("Note").bounding_box()
        assert last["y"] + last["height"] <= height

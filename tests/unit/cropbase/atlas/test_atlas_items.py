"""Figures and tables as parts of a page."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

from cropbase.atlas.items import MOST_ROWS, Item, frame_table, item_parts, number_text, shrunk


def test_numbers_are_short_and_units_stand_in_brackets():
    assert [number_text(v) for v in (1234567.8, 0.123456, 12.0, np.nan, np.inf)] == [
        "1,234,568", "0.1235", "12", "", "∞",
    ]  # fmt: skip
    frame = pd.DataFrame(
        {
            "cropland_ha": [1.5],
            "overall_se": [0.1],
            "iou_low_95": [0.2],
            "met": [True],
            "why": "<b>",
        }
    )
    html = frame_table(frame)
    for words in (
        "cropland (ha)",
        "overall, standard error",
        "iou, 95 % from",
        ">yes<",
        "&lt;b&gt;",
    ):
        assert words in html, words
    assert html.count('class="number"') == 6


def test_years_are_no_amounts():
    html = frame_table(pd.DataFrame({"year": [2020], "points": [2020]}))
    assert ">2020<" in html and html.count(">2,020<") == 1


def test_a_long_table_ends_and_says_so(tmp_path):
    pd.DataFrame({"a": range(MOST_ROWS + 5)}).to_csv(tmp_path / "t.csv", index=False)
    item = Item("Table 1", "t", "table", "t.csv", "Title & more", "Caption.")
    (part,), others, absent = item_parts([item], tmp_path, parts={"always"}, missing={})
    assert (others, absent) == ([], "")
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 5} rows." in part.html
    assert part.html.count("<tr") == MOST_ROWS + 1
    assert part.title == "Table 1 Title & more" and "Title &amp; more" in part.html


def test_large_figures_become_smaller_and_look_the_same(tmp_path):
    y, x = np.mgrid[0:600, 0:800]
    noise = np.random.default_rng(0).normal(0, 6, (600, 800, 3))
    picture = np.dstack([x / 4, y / 3, (x + y) / 6]) + noise
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "f.png")
    content, media, size = shrunk(tmp_path / "f.png")
    assert (media, size) == ("image/webp", (800, 600))
    assert len(content) < 0.5 * (tmp_path / "f.png").stat().st_size
    back = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(float)
    assert np.abs(back - picture).mean() < 8

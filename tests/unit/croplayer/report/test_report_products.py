"""Choosing blocks for the plate, and the figure of several provinces."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from croplayer.report.product_plates import choose_blocks
from croplayer.report.product_provinces import plot_province_iou, plot_provinces

PAIRS = ("crop_in", "crop_unclear", "crop_out", "other_in", "other_unclear", "other_out")


def test_blocks_of_the_plate_go_from_the_most_to_the_least_disagreement():
    rows = {
        "worst": [10, 0, 40, 40, 0, 10],
        "middle": [60, 0, 10, 10, 0, 20],
        "best": [70, 0, 0, 0, 0, 30],
        "empty": [0, 0, 0, 90, 0, 10],
        "sliver": [0, 0, 4, 0, 0, 1],
    }
    table = pd.DataFrame(
        [
            {
                "block_id": name,
                "product": product,
                **{f"px_{p}": v for p, v in zip(PAIRS, values, strict=True)},
            }
            for name, values in rows.items()
            for product in ("a", "b")
        ]
    )
    assert choose_blocks(table, 2) == ["worst", "best"]
    assert choose_blocks(table, 9) == ["worst", "middle", "best"]
    assert choose_blocks(table[table["block_id"] == "empty"], 3) == []


def test_a_panel_a_map_counts_the_provinces(tmp_path):
    areas = {}
    for k, province in enumerate(("p", "q")):
        rows = [
            ("scenario", "integrated", "integrated", "strict", 97 + k, True),
            ("product", "e", "ESA", "strict", 130 - 31 * k, bool(k)),
            ("product", "e", "ESA", "lenient", 140, False),
        ]
        columns = ["kind", "name", "title", "reading", "percent_of_official", "within_tolerance"]
        areas[province] = tmp_path / f"{province}.csv"
        table = pd.DataFrame(rows, columns=columns).assign(tolerance_percent=10.0)
        table.to_csv(areas[province], index=False)
    plot_provinces(
        areas=areas, titles={"p": "One", "q": "Two"}, table_csv=tmp_path / "areas.csv",
        counts_csv=tmp_path / "within.csv", figure_png=tmp_path / "areas.png", generated=["p"],
    )  # fmt: skip
    counts = pd.read_csv(tmp_path / "within.csv").query("reading == 'strict'").set_index("name")
    assert counts.loc["integrated", "within"] == 2 and counts.loc["e", "within"] == 1
    with Image.open(tmp_path / "areas.png") as image:
        assert np.asarray(image.convert("L")).std() > 10


def test_iou_of_every_province_and_of_all_pixels_together(tmp_path, drawn):
    counts = {"p": (60, 20, 20), "q": (10, 0, 30)}
    pixels = {}
    for province, (tp, fp, fn) in counts.items():
        row = {"product": "e", "title": "ESA", "reading": "strict", "tp": tp, "fp": fp, "fn": fn}
        row |= {
            "iou": tp / (tp + fp + fn),
            "compared_share": 0.5,
            "compared_ha": 5,
            "inside_ha": 10,
        }
        pixels[province] = tmp_path / f"{province}.csv"
        pd.DataFrame([row]).to_csv(pixels[province], index=False)
    seen = drawn("product_provinces")
    plot_province_iou(
        pixels=pixels, titles={"p": "One", "q": "Two"}, table_csv=tmp_path / "iou.csv",
        figure_png=tmp_path / "iou.png", generated=["q"],
    )  # fmt: skip
    found = pd.read_csv(tmp_path / "iou.csv").set_index("province")["iou"]
    assert found.to_dict() == {"p": 0.6, "q": 0.25, "all": 0.5}
    (axes,) = seen["figure"].axes
    assert axes.collections[0].get_offsets().tolist() == [[0.6, 0], [0.25, 1]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["One", "Two"]
    assert axes.get_title() == "ESA\nall: 0.50"
    assert seen["figure"].get_supxlabel() == "Generated, no real place: q"

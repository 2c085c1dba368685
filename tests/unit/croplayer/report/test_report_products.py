"""Choosing blocks for the plate, and the figure of several provinces."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from croplayer.report.product_plates import choose_blocks
from croplayer.report.product_provinces import plot_provinces

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

"""Flat metrics, the accuracy table and the figures of a case."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import rasterio
from matplotlib.image import imread

from cropalloc.report.maps import map_total_ha, plot_maps
from cropalloc.report.metrics import collect_allocation_metrics
from cropalloc.report.style import hectares, read_outline
from cropalloc.report.tables import accuracy_table
from cropalloc.validation import agreement, plot_comparison, plot_validation
from cropbase.errors import InputError
from cropbase.tables import write_table


@pytest.fixture
def validations(tmp_path):
    """Pairs and measures of three contestants; the second is the better map of rice."""
    rng = np.random.default_rng(0)
    paths = []
    for name, noise in (
        ("max_score", {"wheat": 0.1, "rice": 0.9}),
        ("cropland", {"wheat": 0.8, "rice": 0.2}),
    ):
        rows, crops = [], {}
        for crop, size in (("wheat", 1000), ("rice", 100)):
            s = rng.gamma(1, size, 40)
            a = s * np.exp(rng.normal(0, noise[crop], 40))
            a[0] = 0.0
            crops[crop] = agreement(a, s) | {"units_without_cells": 1}
            rows += [(crop, f"u{k}", s[k], a[k], 3, True) for k in range(40)]
        pairs = pd.DataFrame(
            rows, columns=["crop", "unit_id", "statistics_ha", "allocated_ha", "cells", "used"]
        )
        crops["tea"] = {"n": 1, "reason": "fewer than 3 units"}
        write_table(pairs, tmp_path / f"{name}.parquet")
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"name": name, "year": 2010, "crops": crops}))
        paths.append(path)
    return paths


def test_metrics_are_flat_and_say_what_is_missing(tmp_path, validations):
    account = pd.DataFrame(
        [("P1", "wheat", "A", 100.0, 5.0, 94.0, -1.0), ("P1", "wheat", "I", 50.0, 5.0, 45.0, 0.0),
         ("P2", "wheat", "A", 10.0, 0.0, 10.0, 0.0)],
        columns=["target_id", "crop", "system", "statistics_ha", "slack_ha", "map_ha",
                 "difference_ha"],
    )  # fmt: skip
    account.to_csv(tmp_path / "account.csv", index=False)
    for k, gap in enumerate((1e-12, 3e-10)):
        (tmp_path / f"c{k}.json").write_text(
            json.dumps({"objective": 10.0, "relative_gap": gap, "seconds": 2.5, "method": "x"})
        )
    (tmp_path / "ell.csv").write_text(
        "crop,year,shift_from_first_km\nwheat,2000,\nwheat,2010,12.5\n"
    )
    (tmp_path / "bench.tsv").write_text("s\th:m:s\n1.5\t0:00:01\n")
    found = collect_allocation_metrics(
        output=tmp_path / "metrics.json",
        accounts={2010: tmp_path / "account.csv"},
        certificates=[tmp_path / "c0.json", tmp_path / "c1.json"],
        validations=validations,
        ellipses=tmp_path / "ell.csv",
        benchmarks=[tmp_path / "bench.tsv"],
        generated=True,
    )
    assert found == json.loads((tmp_path / "metrics.json").read_text())
    assert next(iter(found)) == "generated_data" and found["generated_data"] is True
    assert (found["statistics_2010_ha"], found["slack_2010_ha"]) == (110.0, 5.0)
    assert found["account_worst_share_2010"] == pytest.approx(0.01)
    assert found["allocation_objective"] == 20.0
    assert found["allocation_worst_relative_gap"] == 3e-10
    assert found["wheat_shift_2000_2010_km"] == 12.5
    assert found["wall_seconds"] == 1.5
    r2 = json.loads(validations[0].read_text())["crops"]["wheat"]["r2"]
    assert found["max_score_wheat_r2"] == r2
    assert found["max_score_tea_r2"] is None
    assert "max_score_tea_r2: too few units or no variance" in found["missing"]
    assert all(not isinstance(value, dict) for value in found.values())


def test_a_metric_given_twice_is_an_error(tmp_path, validations):
    with pytest.raises(InputError, match="max_score_wheat_n is given twice"):
        collect_allocation_metrics(
            output=tmp_path / "m.json", validations=[validations[0], validations[0]]
        )


def test_a_file_of_something_else_is_an_error(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputError, match="holds no measures"):
        collect_allocation_metrics(output=tmp_path / "m.json", validations=[tmp_path / "x.json"])
    with pytest.raises(InputError, match="cannot be read"):
        collect_allocation_metrics(output=tmp_path / "m.json", certificates=[tmp_path / "none"])


def test_the_accuracy_table_orders_crops_by_size_and_owns_up_to_losses(tmp_path, validations):
    table = accuracy_table(
        metrics=validations,
        output_html=tmp_path / "a.html",
        output_csv=tmp_path / "a.csv",
        note="generated <data>",
    )
    assert list(table["crop"]) == ["wheat", "wheat", "rice", "rice", "tea", "tea"]
    assert list(table["contestant"][:2]) == ["max_score", "cropland"]
    back = pd.read_csv(tmp_path / "a.csv")
    np.testing.assert_allclose(back["r2"], table["r2"].astype(float), rtol=1e-5)
    page = (tmp_path / "a.html").read_text()
    assert "generated &lt;data&gt;" in page
    assert "max score has the best R² in 1 of 2 crops compared." in page
    assert "Another map is better for: Rice (cropland)." in page
    assert "http" not in page


def test_figures_of_the_validation_are_drawn(tmp_path, validations):
    plot_validation(
        pairs=tmp_path / "max_score.parquet", metrics=validations[0], output=tmp_path / "v.png"
    )
    plot_comparison(metrics=validations, output=tmp_path / "c.png")
    for name in ("v.png", "c.png"):
        picture = imread(tmp_path / name)
        assert picture[..., :3].std() > 0.05
    with pytest.raises(InputError, match="two contestants have one name"):
        plot_comparison(metrics=[validations[0]] * 2, output=tmp_path / "d.png")
    validations[0].write_text(json.dumps({"name": "x", "year": 1, "crops": {"tea": {"n": 1}}}))
    with pytest.raises(InputError, match="no crop with enough units"):
        plot_validation(
            pairs=tmp_path / "max_score.parquet", metrics=validations[0], output=tmp_path / "e.png"
        )


def test_the_overview_shows_where_the_crop_is(tmp_path):
    values = np.zeros((60, 80), dtype="float32")
    values[:, 40:] = 50
    values[:5] = np.nan
    path = tmp_path / "map.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=60, width=80, count=1, dtype="float32",
        crs="EPSG:4326", transform=rasterio.Affine(0.1, 0, 10, 0, -0.1, 50), nodata=np.nan,
    ) as file:  # fmt: skip
        file.write(values, 1)
    assert map_total_ha(path) == pytest.approx(np.nansum(values))
    plot_maps(maps={"wheat": path}, output=tmp_path / "m.png")
    picture = imread(tmp_path / "m.png")[..., :3]
    greenness = picture[..., 1] - picture[..., 0]
    middle = picture.shape[1] // 2
    rows = slice(picture.shape[0] // 3, 2 * picture.shape[0] // 3)
    assert greenness[rows, middle - 60 : middle].max() > 0.05
    assert greenness[rows, : middle // 2].mean() < 0.02
    with pytest.raises(InputError, match="at least one map"):
        plot_maps(maps={}, output=tmp_path / "n.png")


def test_an_outline_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_outline(tmp_path / "none.gpkg")


@pytest.mark.parametrize(
    ("value", "text"),
    [(12_141_000, "12.1 Mha"), (850, "850 ha"), (1044.4, "1.04 kha"), (0, "0 ha")],
)
def test_areas_are_written_as_people_do(value, text):
    assert hectares(value) == text

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cropbase.errors import InputError
from croplayer.segmentation.comparison.table import compare_models

COUNTS = ("tp", "fp", "fn", "tn")
LINES = ("mapped", "mapped_confirmed", "truth", "truth_found")


def write_run(folder, model, seed, fold, extents, **changes):
    values = {
        "model": model,
        "seed": seed,
        "fold": fold,
        "description": f"{model} & sons",
        "parameters": 1000,
        "train_seconds": 60.0 + seed,
        "train_chips_per_second": 4.0,
        "inference_chips_per_second": 20.0 + fold,
        "peak_memory_mb": 500.0,
        "extents": [
            {"extent": f"{fold}/{n}"}
            | {"pixels": dict(zip(COUNTS, counts, strict=True))}
            | {"inner": dict(zip(COUNTS, (counts[0], 0, counts[2], 0), strict=True))}
            | {"boundary": dict(zip(LINES, lines, strict=True))}
            | {"moved": {"tp": 90, "fp": 5, "fn": 5, "tn": 10}}
            for n, (counts, lines) in enumerate(extents)
        ],
    }
    path = folder / f"{model}_{seed}_{fold}.json"
    path.write_text(json.dumps(values | changes))
    return path


@pytest.fixture
def made(tmp_path):
    rng = np.random.default_rng(4)
    runs, extents = [], {}
    for model in ("a", "b"):
        for seed in (0, 1):
            for fold in (0, 1):
                lines = rng.integers(5, 20, (2, 2))
                found = [
                    (
                        rng.integers(1, 100, 4).tolist(),
                        [int(x[0]) + 5, int(x[0]), int(x[1]) + 5, int(x[1])],
                    )
                    for x in lines
                ]
                extents.setdefault((model, seed), []).extend(found)
                changes = {"train_chips_per_second": None} if model == "b" else {}
                runs.append(write_run(tmp_path, model, seed, fold, found, **changes))
    plate = tmp_path / "plate.png"
    Image.new("RGB", (4, 4)).save(plate)
    outputs = {
        "output_csv": tmp_path / "models.csv",
        "output_extents": tmp_path / "extents.csv",
        "output_html": tmp_path / "models.html",
        "metrics": tmp_path / "metrics.json",
    }
    compare_models(
        results=runs,
        plate=plate,
        order=["b", "a"],
        title="T",
        facts=["Two folds."],
        note="",
        **outputs,
    )
    return tmp_path, extents


def test_pixels_are_pooled_over_folds_and_spread_over_seeds(made):
    folder, extents = made
    table = pd.read_csv(folder / "models.csv").set_index("model")
    assert list(table.index) == ["b", "a", "labels_one_pixel_aside"]
    for model in "ab":
        ious, lines = [], []
        for seed in (0, 1):
            tp, fp, fn, _ = np.sum([counts for counts, _ in extents[model, seed]], axis=0)
            mapped, confirmed, truth, near = np.sum([b for _, b in extents[model, seed]], axis=0)
            ious.append(tp / (tp + fp + fn))
            p, r = confirmed / mapped, near / truth
            lines.append(2 * p * r / (p + r))
        row = table.loc[model]
        assert row["iou_mean"] == pytest.approx(np.mean(ious), rel=1e-5)
        assert row["iou_spread"] == pytest.approx(np.std(ious, ddof=1), rel=1e-4)
        assert row["boundary_f1_mean"] == pytest.approx(np.mean(lines), rel=1e-5)
        assert row["train_seconds_mean"] == 60.5
        assert row["inference_chips_per_second_mean"] == 20.5
        assert row["runs"] == 4
        inner = [np.sum([c for c, _ in extents[model, seed]], axis=0) for seed in (0, 1)]
        expected = np.mean([tp / (tp + fn) for tp, _, fn, _ in inner])
        assert row["iou_inner_mean"] == pytest.approx(expected, rel=1e-5)
    moved = table.loc["labels_one_pixel_aside"]
    assert moved["iou_mean"] == pytest.approx(0.9) and np.isnan(moved["parameters_mean"])


def test_each_extent_has_its_iou(made):
    folder, extents = made
    table = pd.read_csv(folder / "extents.csv").set_index("extent")
    assert list(table.columns) == ["b", "a"] and len(table) == 4
    for model in "ab":
        # Extents follow one another fold by fold in both seeds.
        each = [[c[0] / sum(c[:3]) for c, _ in extents[model, seed]] for seed in (0, 1)]
        np.testing.assert_allclose(table[model], np.mean(each, axis=0), rtol=1e-5)


def test_page_and_metrics_say_the_same(made):
    folder, _ = made
    table = pd.read_csv(folder / "models.csv").set_index("model")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["a_iou_mean"] == pytest.approx(table.loc["a", "iou_mean"])
    assert "b_train_chips_per_second_mean" not in metrics
    page = (folder / "models.html").read_text(encoding="utf-8")
    assert re.findall(r"<tr><td>([ab])</td>", page) == ["b", "a"] * 2, "accuracy, then cost"
    assert f"{table.loc['a', 'iou_mean']:.3f} ± {table.loc['a', 'iou_spread']:.3f}" in page
    assert page.count('class="number good"') == 6, "one a measure of accuracy"
    assert "a &amp; sons" in page and ">–</td>" in page


def test_one_seed_has_no_spread(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "p.png")
    run = write_run(tmp_path, "a", 0, 0, [([5, 1, 1, 3], [2, 1, 2, 1])])
    table = compare_models(
        results=[run],
        plate=tmp_path / "p.png",
        order=["a"],
        output_csv=tmp_path / "m.csv",
        output_extents=tmp_path / "e.csv",
        output_html=tmp_path / "m.html",
        metrics=tmp_path / "m.json",
        title="T",
        note="Generated data",
    )
    assert table["iou_spread"].isna().all()
    assert table["runs"].tolist() == [1, 0]
    page = (tmp_path / "m.html").read_text()
    assert "± " not in page.split("<tbody>")[1] and "Generated data" in page


def test_a_damaged_run_is_named(tmp_path):
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(InputError, match="r.json cannot be read"):
        compare_models(
            results=[tmp_path / "r.json"],
            plate=tmp_path / "p.png",
            order=["a"],
            output_csv=tmp_path / "m.csv",
            output_extents=tmp_path / "e.csv",
            output_html=tmp_path / "m.html",
            metrics=tmp_path / "m.json",
            title="T",
        )

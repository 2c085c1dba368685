"""The accuracy table, the areas figure and the metrics, from results as the stages write them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from cropbase.errors import InputError
from croplayer.report.areas import plot_areas
from croplayer.report.metrics import collect_metrics
from croplayer.report.tables import accuracy_table
from croplayer.validation.confusion import Confusion
from croplayer.validation.stopping import decide

SOURCES = ("summer", "winter")


def write(path: Path, value) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def pixel_result(assessed: bool = True) -> dict:
    counts = {"summer": (800, 100, 60, 900), "winter": (700, 80, 160, 920)}
    maps = {
        name: {
            "pooled": Confusion(*found).as_dict() | {"excluded_pixels": 3},
            "interval_95": {"iou": [0.71, 0.9], "precision": None},
            "extents": [{"extent_id": "1"}, {"extent_id": "2"}],
        }
        for name, found in (counts | {"integrated": (820, 70, 40, 930)}).items()
    }
    return {"level": "pixel", "assessed": assessed, "extents": 2, "maps": maps}


def block_result() -> dict:
    shapes = {"blocks_with_cropland": 20, "solidity_mean": 0.81, "en_mean": 0.7}
    return {
        "level": "block",
        "model": {"accuracy": 0.94, "balanced_accuracy": 0.9, "test_rows": 17},
        "sources": {
            "summer": {"blocks": 24, "semantic_correctness": 0.9, **shapes},
            "winter": {"blocks": 24, "semantic_correctness": 0.8, **shapes},
        },
        "integration": {"blocks": 24, "semantic_correctness": 0.95, **shapes},
        "poor_imagery_share": 0.125,
    }


def province_result(official: float | None = 1000.0, counties: int = 2) -> dict:
    areas = {"only_summer": 950.0, "only_winter": 700.0, "merge_both": 1200.0, "integrated": 980.0}

    def scenario(value: float) -> dict:
        return {"cropland_ha": value, "unusable_ha": 5.0, "mapped_ha": 1995.0}

    def compared(value: float) -> dict:
        ratio = None if official is None else value / official
        agreement = None if ratio is None else min(ratio, 1 / ratio)
        interval = None if ratio is None else [agreement * 0.9, agreement]
        return scenario(value) | {
            "ratio": ratio,
            "agreement": agreement,
            "agreement_interval_95": interval,
            "within_tolerance": None,
        }

    return {
        "level": "province",
        "assessed": official is not None,
        "official_area_ha": official,
        "area_tolerance": 0.1,
        "sources": list(SOURCES),
        "scenarios": {name: compared(value) for name, value in areas.items()},
        "counties": [
            {
                "county_id": f"c{k}",
                "county": f"County {k}",
                "scenarios": {name: scenario(v / (k + 1)) for name, v in areas.items()},
            }
            for k in range(counties)
        ],
    }


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    found = {
        "pixel": write(tmp_path / "pixel.json", pixel_result()),
        "block": write(tmp_path / "block.json", block_result()),
        "province": write(tmp_path / "province.json", province_result()),
        "stopping": tmp_path / "stopping.json",
    }
    from croplayer.settings.validation import ValidationSettings

    decide(
        pixel=found["pixel"],
        block=found["block"],
        province=found["province"],
        settings=ValidationSettings(),
        round_number=1,
        output=found["stopping"],
    )
    return found


def table_of(files: dict[str, Path], folder: Path, **more) -> pd.DataFrame:
    return accuracy_table(
        **files, output_html=folder / "a.html", output_csv=folder / "a.csv", **more
    )


# ------------------------------------------------------------------ table
def test_the_table_holds_the_three_levels_with_their_values(files, tmp_path):
    table = table_of(files, tmp_path).set_index(["level", "of", "measure"])["value"]
    assert table["pixel", "summer", "IoU (Eq. 2)"] == pytest.approx(800 / 960)
    assert table["pixel", "integrated", "precision"] == pytest.approx(820 / 890)
    assert table["block", "winter", "semantic correctness"] == 0.8
    assert table["province", "integrated", "area / official area"] == pytest.approx(0.98)
    assert table["block", "model", "accuracy of semantic classes"] == 0.94


def test_thresholds_stand_beside_what_the_stopping_rule_looks_at_and_nothing_else(files, tmp_path):
    table = table_of(files, tmp_path)
    judged = table[table["threshold"].notna()]
    assert set(zip(judged["level"], judged["of"], strict=True)) == {
        (level, source) for level in ("pixel", "block", "province") for source in SOURCES
    }
    verdict = judged.set_index(["level", "of"])["met"]
    assert verdict["pixel", "summer"] is False and verdict["block", "summer"] is True
    assert verdict["province", "winter"] is False


def test_the_csv_and_the_page_hold_every_row(files, tmp_path):
    table = table_of(files, tmp_path, title="Demo <accuracy>", note="Generated data")
    read = pd.read_csv(tmp_path / "a.csv")
    assert read["measure"].tolist() == table["measure"].tolist()
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<tr") == len(table) + 1
    assert "Demo &lt;accuracy&gt;" in page and "Generated data" in page
    assert json.loads(files["stopping"].read_text())["sentence"][:20] in page


def test_the_page_needs_no_network(files, tmp_path):
    table_of(files, tmp_path)

    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.found += [v for k, v in attrs if k in ("src", "href") and v]

    parser = Links()
    parser.feed((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert parser.found == []


def test_a_level_that_was_not_assessed_is_shown_as_such(files, tmp_path):
    write(files["pixel"], pixel_result(assessed=False))
    write(files["province"], province_result(official=None))
    table = table_of(files, tmp_path)
    assert table[table["level"] == "pixel"]["value"].isna().all()
    assert "not measured" in (tmp_path / "a.html").read_text(encoding="utf-8")
    ratio = table[table["measure"] == "area / official area"]
    assert len(ratio) == 4 and ratio["value"].isna().all()


def test_results_in_the_wrong_place_are_refused(files, tmp_path):
    files["block"] = files["pixel"]
    with pytest.raises(InputError, match=r"pixel.json is not of the block level"):
        table_of(files, tmp_path)


def test_a_damaged_result_is_named(files, tmp_path):
    files["pixel"].write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"result .*pixel.json cannot be read"):
        table_of(files, tmp_path)


# ------------------------------------------------------------------ figure
@pytest.mark.parametrize(("official", "counties"), [(1000.0, 2), (None, 40)])
def test_areas_are_drawn_the_same_bytes_each_time(tmp_path, official, counties):
    source = write(tmp_path / "province.json", province_result(official, counties))
    for name in "ab":
        plot_areas(province_json=source, output=tmp_path / f"{name}.png", title="Areas")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    picture = imread(tmp_path / "a.png")
    assert picture.shape[1] > 800 and picture[..., :3].std() > 0.05


def test_bars_show_the_areas_in_thousand_hectares(tmp_path, monkeypatch):
    """What is drawn, not how: the heights of the bars and of the official line."""
    drawn = {}
    monkeypatch.setattr(
        "croplayer.report.areas.save_figure", lambda figure, output: drawn.update(figure=figure)
    )
    source = write(tmp_path / "province.json", province_result())
    plot_areas(province_json=source, output=tmp_path / "a.png")
    left, right = drawn["figure"].axes
    assert [bar.get_height() for bar in left.patches[:4]] == [0.95, 0.7, 1.2, 0.98]
    assert [text.get_text() for text in left.texts] == ["95.0%", "70.0%", "120.0%", "98.0%"]
    assert left.lines[0].get_ydata()[0] == 1.0
    assert "hectares" in left.get_ylabel() and "hectares" in right.get_ylabel()
    assert right.patches[0].get_height() == 0.95 and right.patches[1].get_height() == 0.475


# ------------------------------------------------------------------ metrics
def cards(folder: Path) -> dict[str, Path]:
    def card(accuracy: float) -> dict:
        return {"test": {"accuracy": accuracy, "balanced_accuracy": 0.8}, "test_rows": 9}

    return {
        "coverage_card": write(
            folder / "coverage.json",
            {"held_out": {"top1_accuracy": 0.956, "majority_share": 0.5}, "seconds": 12.5},
        ),
        "segmentation_card": write(
            folder / "segmentation.json",
            {
                "result": {"steps": 300, "parameters": 10, "validation": {"iou": 0.88}},
                "run": {"wall_seconds": 61.0},
            },
        ),
        "semantic_card": write(folder / "semantic.json", card(0.943)),
        "integration_card": write(folder / "integration.json", card(0.9)),
    }


def test_every_number_comes_from_the_stage_that_measured_it(files, tmp_path):
    truth = write(tmp_path / "truth.json", {"truth_iou_unseen_blocks": 0.87, "nested": {"a": 1}})
    bench = tmp_path / "job.tsv"
    bench.write_text("s\th:m:s\n12.5\t0:00:12\n", encoding="utf-8")
    areas = tmp_path / "areas.csv"
    areas.write_text("raster_ha,polygon_ha,polygons\n10,9.5,4\n20,19,5\n", encoding="utf-8")
    metrics = collect_metrics(
        **files,
        **cards(tmp_path),
        areas=areas,
        extra=[truth],
        benchmarks=[bench, bench],
        generated=True,
        output=tmp_path / "metrics.json",
    )
    assert metrics == json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    expected = {
        "generated_data": True,
        "pixel_iou": 820 / 930,
        "pixel_iou_summer": 800 / 960,
        "block_semantic_correctness": 0.95,
        "province_area_ratio": 0.98,
        "province_area_ratio_only_winter": 0.7,
        "semantic_accuracy": 0.943,
        "integration_accuracy": 0.9,
        "coverage_top1": 0.956,
        "segmentation_validation_iou": 0.88,
        "segmentation_train_seconds": 61.0,
        "truth_iou_unseen_blocks": 0.87,
        "truth_nested_a": 1,
        "export_polygons": 9,
        "export_polygon_ha": 28.5,
        "wall_seconds": 25.0,
    }
    assert metrics["missing"] == []
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_what_is_missing_is_null_with_a_reason(files, tmp_path):
    write(files["province"], province_result(official=None))
    del files["block"]
    metrics = collect_metrics(**files, output=tmp_path / "metrics.json")
    assert metrics["province_area_ratio"] is None
    reasons = dict(line.split(": ", 1) for line in metrics["missing"])
    assert reasons["province_area_ratio"] == "no official area is known"
    assert reasons["semantic_accuracy"] == "no semantic result in this run"
    assert reasons["block_semantic_correctness"] == "no block result in this run"
    nulls = {name for name, value in metrics.items() if value is None and name in reasons}
    assert nulls == set(reasons)


def test_with_a_single_source_its_mask_is_the_map(files, tmp_path):
    pixel = pixel_result()
    pixel["maps"] = {"summer": pixel["maps"]["summer"]}
    province = province_result()
    province["scenarios"] = {"only_summer": province["scenarios"]["only_summer"]}
    metrics = collect_metrics(
        pixel=write(files["pixel"], pixel),
        province=write(files["province"], province),
        output=tmp_path / "metrics.json",
    )
    assert metrics["pixel_iou"] == pytest.approx(800 / 960)
    assert metrics["province_area_ratio"] == pytest.approx(0.95)


def test_two_extra_files_of_one_name_are_refused(files, tmp_path):
    (tmp_path / "other").mkdir()
    extra = [
        write(tmp_path / "truth.json", {"iou": 1}),
        write(tmp_path / "other" / "truth.json", {"iou": 2}),
    ]
    with pytest.raises(InputError, match="metric truth_iou of .* is given twice"):
        collect_metrics(**files, extra=extra, output=tmp_path / "metrics.json")

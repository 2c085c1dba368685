"""The stopping decision: every rule, on either side of its threshold."""

from __future__ import annotations

import hashlib
import json

import pytest

from cropbase.errors import ConfigError, InputError
from croplayer.active.lock import lock_labels
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.stopping import decide

GIVEN = ("earlier", "lock", "tables", "models", "config_sha256")


@pytest.fixture
def run(tmp_path):
    def work(
        iou=(0.9, 0.2),
        correct=(0.9, 0.2),
        agreement=(0.9, 0.2),
        poor=0.0,
        round_number=1,
        assessed=True,
        **more,
    ):
        results = {
            "pixel": {
                "level": "pixel",
                "assessed": assessed,
                "maps": {
                    **{
                        s: {"pooled": {"iou": v}, "interval_95": {"iou": [0.2, 0.95]}}
                        for s, v in zip("ab", iou, strict=True)
                    },
                    "integrated": {"pooled": {"iou": 0.99}},
                },
            },
            "block": {
                "level": "block",
                "poor_imagery_share": poor,
                "sources": {
                    s: {"semantic_correctness": v, "blocks": 400}
                    for s, v in zip("ab", correct, strict=True)
                },
            },
            "province": {
                "level": "province",
                "sources": ["a", "b"],
                "scenarios": {
                    **{
                        f"only_{s}": {"agreement": v, "agreement_interval_95": [0.1, 0.95]}
                        for s, v in zip("ab", agreement, strict=True)
                    },
                    "integrated": {"agreement": 0.99},
                },
            },
        }
        paths = {}
        for name, value in results.items():
            paths[name] = tmp_path / f"{name}.json"
            paths[name].write_text(json.dumps(value))
        given = {key: more.pop(key) for key in GIVEN if key in more}
        decide(
            **paths,
            **given,
            settings=ValidationSettings(**more),
            round_number=round_number,
            output=tmp_path / "stopping.json",
        )
        return json.loads((tmp_path / "stopping.json").read_text())

    return work


def outcome(record):
    return record["decision"], record["rule"]


def test_either_source_may_reach_each_threshold(run):
    assert outcome(run()) == ("stop", "thresholds_met")
    mixed = run(iou=(0.85, 0.1), correct=(0.1, 0.851), agreement=(0.1, 0.80))
    assert outcome(mixed) == ("stop", "thresholds_met")
    assert [level["best_source"] for level in mixed["levels"].values()] == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("low", "level"),
    [
        ({"iou": (0.849, 0.1)}, "pixel"),
        ({"correct": (0.85, 0.1)}, "block"),  # the paper: must exceed 85 %
        ({"agreement": (0.799, 0.1)}, "province"),
    ],
)
def test_one_level_below_its_threshold_goes_on(run, low, level):
    record = run(**low)
    assert outcome(record) == ("continue", "thresholds_not_met")
    assert record["levels"][level]["status"] == "not met"
    assert f"the {level} level is not met" in record["sentence"]


def test_the_integrated_map_does_not_stop_the_learning(run):
    assert run(iou=(0.5, 0.5))["decision"] == "continue"


@pytest.mark.parametrize(
    ("round_number", "poor", "rule"),
    [
        (4, 0.10, "poor_imagery"),
        (3, 0.10, "thresholds_not_met"),
        (4, 0.09, "thresholds_not_met"),
        (9, 0.5, "poor_imagery"),
    ],
)
def test_poor_imagery_stops_after_three_supplementary_rounds(run, round_number, poor, rule):
    record = run(iou=(0.5, 0.5), round_number=round_number, poor=poor)
    assert record["rule"] == rule
    assert record["supplementary_rounds"] == round_number - 1


def test_the_thresholds_are_settings(run):
    record = run(iou=(0.5, 0.4), pixel_iou=0.45)
    assert outcome(record) == ("stop", "thresholds_met")
    assert record["levels"]["pixel"]["threshold"] == 0.45
    late = run(iou=(0.5, 0.4), supplementary_rounds=1, round_number=2, poor_imagery_share=0.0)
    assert late["rule"] == "poor_imagery"


def test_without_official_area_the_other_levels_decide_and_it_is_said(run):
    record = run(agreement=(None, None))
    assert outcome(record) == ("stop", "thresholds_met")
    assert record["levels"]["province"]["status"] == "not assessed"
    assert "the province level is not assessed" in record["sentence"]


def test_without_validation_extents_nothing_stops(run):
    record = run(assessed=False)
    assert outcome(record) == ("continue", "thresholds_not_met")
    assert record["levels"]["pixel"]["status"] == "not assessed"


def test_the_sentence_tells_values_and_thresholds(run):
    sentence = run(iou=(0.812, 0.7), correct=(0.5, 0.6))["sentence"]
    assert sentence.startswith("Continue: the pixel and block levels are not met")
    assert "IoU of a is 0.812 (threshold 0.85, not met)" in sentence
    assert "semantic correctness of b is 0.600" in sentence


def test_results_that_are_none_are_refused(run, tmp_path):
    run()
    paths = {name: tmp_path / f"{name}.json" for name in ("pixel", "block", "province")}
    given = {"settings": ValidationSettings(), "round_number": 1, "output": tmp_path / "s.json"}
    with pytest.raises(InputError, match=r"block\.json is not of the pixel level"):
        decide(**(paths | {"pixel": paths["block"]}), **given)
    paths["block"].write_text("{")
    with pytest.raises(InputError, match=r"block\.json cannot be read"):
        decide(**paths, **given)
    with pytest.raises(ConfigError, match="is not a round"):
        decide(**paths, **(given | {"round_number": 0}))


def earlier(tmp_path, shares, best=0.5):
    """Decision files of rounds 1, 2, ... with these shares of poor imagery."""
    paths = []
    for number, share in enumerate(shares, start=1):
        paths.append(tmp_path / f"decision_{number}.json")
        levels = {"pixel": {"best": best + number / 100}}
        record = {"round": number, "poor_imagery_share": share, "levels": levels}
        paths[-1].write_text(json.dumps(record))
    return paths


@pytest.mark.parametrize(
    ("shares", "rule"),
    [
        ((0.5, 0.5, 0.5), "poor_imagery"),
        ((0.0, 0.5, 0.5), "poor_imagery"),  # the first round is no supplementary one
        ((0.5, 0.0, 0.5), "thresholds_not_met"),
        ((0.5, 0.5, 0.09), "thresholds_not_met"),
        ((), "poor_imagery"),
    ],
)
def test_poor_imagery_must_persist_through_the_supplementary_rounds(run, tmp_path, shares, rule):
    record = run(iou=(0.5, 0.5), round_number=4, poor=0.5, earlier=earlier(tmp_path, shares))
    assert record["rule"] == rule
    assert list(record["poor_imagery_share_of_earlier_rounds"].values()) == list(shares)


def test_later_rounds_have_no_say_when_an_old_one_is_replayed(run, tmp_path):
    paths = earlier(tmp_path, (0.5, 0.0, 0.5))
    record = run(iou=(0.5, 0.5), round_number=2, poor=0.5, earlier=paths)
    assert list(record["poor_imagery_share_of_earlier_rounds"]) == ["1"]
    assert record["levels"]["pixel"]["change"] == pytest.approx(0.5 - 0.51)
    assert record["levels"]["block"]["change"] is None


def test_measured_values_come_with_their_intervals(run):
    levels = run(agreement=(0.9, None))["levels"]
    assert levels["pixel"]["interval_95"] == {"a": [0.2, 0.95], "b": [0.2, 0.95]}
    assert levels["province"]["interval_95"]["a"] == [0.1, 0.95]
    low, high = levels["block"]["interval_95"]["a"]
    # 400 blocks, 90 % of them right: a standard error of 1.5 %.
    assert (low, high) == pytest.approx((0.8706, 0.9294), abs=0.006)


def test_the_record_names_what_it_rests_on(run, tmp_path):
    lock, table = tmp_path / "labels.lock", tmp_path / "semantic.csv"
    drawn = tmp_path / "drawn.csv"
    drawn.write_text("a\n1\n")
    lock_labels(files={"cropland": drawn}, output=lock)
    table.write_bytes(b"rows")
    model = tmp_path / "segmentation" / "model" / "model.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    found = run(lock=lock, tables=[table], models=[model], config_sha256="c")["sha256"]
    assert found["labels"]["semantic"] == hashlib.sha256(b"rows").hexdigest()
    assert (
        found["labels"]["cropland"] == json.loads(lock.read_text())["files"]["cropland"]["sha256"]
    )
    assert found["models"] == {"segmentation": hashlib.sha256(b"weights").hexdigest()}
    assert found["config"] == "c"

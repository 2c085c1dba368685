"""The stopping decision: every rule, on either side of its threshold."""

from __future__ import annotations

import json

import pytest

from cropbase.errors import ConfigError, InputError
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.stopping import decide


@pytest.fixture
def run(tmp_path):
    def work(
        iou=(0.9, 0.2),
        correct=(0.9, 0.2),
        agreement=(0.9, 0.2),
        poor=0.0,
        round_number=1,
        assessed=True,
        **settings,
    ):
        results = {
            "pixel": {
                "level": "pixel",
                "assessed": assessed,
                "maps": {
                    **{s: {"pooled": {"iou": v}} for s, v in zip("ab", iou, strict=True)},
                    "integrated": {"pooled": {"iou": 0.99}},
                },
            },
            "block": {
                "level": "block",
                "poor_imagery_share": poor,
                "sources": {
                    s: {"semantic_correctness": v} for s, v in zip("ab", correct, strict=True)
                },
            },
            "province": {
                "level": "province",
                "sources": ["a", "b"],
                "scenarios": {
                    **{f"only_{s}": {"agreement": v} for s, v in zip("ab", agreement, strict=True)},
                    "integrated": {"agreement": 0.99},
                },
            },
        }
        paths = {}
        for name, value in results.items():
            paths[name] = tmp_path / f"{name}.json"
            paths[name].write_text(json.dumps(value))
        decide(
            **paths,
            settings=ValidationSettings(**settings),
            round_number=round_number,
            output=tmp_path / "stopping.json",
        )
        return json.loads((tmp_path / "stopping.json").read_text())

    return work


def outcome(record):
    return record["decision"], record["rule"]


def test_either_source_may_reach_each_threshold(run):
    assert outcome(run()) == ("stop", "thresholds_met")
    mixed = run(iou=(0.85, 0.1), correct=(0.1, 0.85), agreement=(0.1, 0.80))
    assert outcome(mixed) == ("stop", "thresholds_met")
    assert [level["best_source"] for level in mixed["levels"].values()] == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("low", "level"),
    [
        ({"iou": (0.849, 0.1)}, "pixel"),
        ({"correct": (0.849, 0.1)}, "block"),
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
    with pytest.raises(InputError, match=r"block\.json is no result of the pixel level"):
        decide(**(paths | {"pixel": paths["block"]}), **given)
    paths["block"].write_text("{")
    with pytest.raises(InputError, match=r"block\.json cannot be read"):
        decide(**paths, **given)
    with pytest.raises(ConfigError, match="is not a round"):
        decide(**paths, **(given | {"round_number": 0}))

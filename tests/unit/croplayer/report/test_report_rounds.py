"""The curve over rounds, and the records that it is drawn from."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from matplotlib.image import imread

from cropbase.errors import InputError
from croplayer.active.rounds.records import record_round, recorded_rounds
from croplayer.report.rounds import plot_rounds


def record(number: int, official: bool = True) -> dict:
    def level(value, threshold):
        measured = {"summer": value + number / 20, "winter": value}
        if value is None:
            measured = {"summer": None, "winter": None}
        return {
            "measured": measured,
            "interval_95": {"summer": [0.6, 0.9], "winter": None},
            "threshold": threshold,
            "status": "not met" if number < 3 else "met",
        }

    levels = {"pixel": level(0.7, 0.85), "block": level(0.75, 0.85), "province": level(0.7, 0.8)}
    if not official:
        levels["province"] |= {
            "measured": {"summer": None, "winter": None},
            "status": "not assessed",
        }
    return {
        "round": number,
        "decision": "continue" if number < 3 else "stop",
        "rule": "thresholds_not_met" if number < 3 else "thresholds_met",
        "levels": levels,
    }


@pytest.fixture
def draw(tmp_path):
    def work(records):
        paths = []
        for one in records:
            paths.append(tmp_path / f"{one['round']}.json")
            paths[-1].write_text(json.dumps(one))
        figure, table = tmp_path / "rounds.png", tmp_path / "rounds.csv"
        plot_rounds(records=paths, output=figure, table=table, title="T", note="generated")
        return figure, pd.read_csv(table)

    return work


def test_the_table_holds_every_measure_in_the_order_of_the_rounds(draw):
    _, table = draw([record(3), record(1), record(2)])
    assert table["round"].tolist() == [1] * 6 + [2] * 6 + [3] * 6
    row = table[(table["round"] == 3) & (table["level"] == "pixel") & (table["source"] == "summer")]
    assert row[["value", "low_95", "high_95", "threshold"]].to_numpy().tolist() == [
        [0.85, 0.6, 0.9, 0.85]
    ]
    assert row[["met", "decision"]].to_numpy().tolist() == [[True, "stop"]]
    assert table["low_95"].isna().sum() == 9, "a source without an interval has none"


@pytest.mark.parametrize("records", [[1], [1, 2, 3]])
def test_the_figure_shows_the_colours_of_both_sources_and_the_threshold(draw, records):
    figure, _ = draw([record(number) for number in records])
    image = (imread(figure)[..., :3] * 255).round().astype(int).reshape(-1, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0xD5, 0x5E, 0x00)):
        assert (image == colour).all(axis=1).sum() > 50


def test_a_level_without_official_area_is_drawn_empty_and_not_left_out(draw):
    figure, table = draw([record(1, official=False)])
    assert figure.exists()
    assert table.loc[table["level"] == "province", "value"].isna().all()


def test_the_same_records_give_the_same_bytes(draw):
    first = draw([record(1)])[0].read_bytes()
    assert draw([record(1)])[0].read_bytes() == first


def test_a_round_is_recorded_beside_the_others_and_only_as_what_it_is(tmp_path):
    files = {name: tmp_path / f"{name}.json" for name in ("decision", "metrics", "card")}
    for name, path in files.items():
        path.write_text(json.dumps({"round": 2, "of": name}))
    root = tmp_path / "rounds"
    assert recorded_rounds(root, other_than=1) == []
    for number in (2, 10):
        files["decision"].write_text(json.dumps({"round": number}))
        record_round(number=number, **files, folder=root / str(number))
    assert json.loads((root / "2/metrics.json").read_text())["of"] == "metrics"
    found = recorded_rounds(root, other_than=3)
    assert [one["round"] for one in found] == [2, 10]
    assert recorded_rounds(root, other_than=10) == found[:1]
    with pytest.raises(
        InputError, match=r"are those of round 10, not of round 3(.|\n)*labels\.round: 3"
    ):
        record_round(number=3, **files, folder=root / "3")
    assert not (root / "3").exists()

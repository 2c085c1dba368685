"""Handing out: orders, filters, and two annotators at once."""

from __future__ import annotations

import json
import random

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import InputError
from croplayer.desk.handout import Handout, Item
from croplayer.desk.store import Store
from croplayer.desk.tasks import COVERAGE, options_task

BLOCKS = [f"E{number:05d}N2400" for number in range(0, 40, 5)]
IDENTITY = {"province": "tiny"}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "desk.sqlite", IDENTITY)
    yield store
    store.close()


def handout(store, **changes):
    given = {"sources": ["a", "b"], "orders": {"map": BLOCKS}}
    return Handout(changes.pop("task", COVERAGE), store, **(given | changes))


def take(hand, who, **changes):
    return hand.next(who, **({"order": "map", "scope": "open"} | changes))


def answer(store, hand, who, item, value="planting", request=[0]):  # noqa: B006
    request[0] += 1
    store.add(
        request=f"request-{request[0]}", annotator=who, task=hand.task.key, block_id=item.block_id,
        source=item.source, value=value, note="", label_round=1,
    )  # fmt: skip
    hand.settle(who, item.block_id)


def test_the_sources_of_a_block_go_to_one_annotator(store):
    hand = handout(store)
    anna = take(hand, "Anna")
    ben = take(hand, "Ben")
    assert (anna, ben) == (Item(BLOCKS[0], "a"), Item(BLOCKS[1], "a"))
    answer(store, hand, "Anna", anna)
    assert take(hand, "Anna", after=anna) == Item(BLOCKS[0], "b")
    assert take(hand, "Ben") == ben, "asked again without an answer: the same block"


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.4, 1.0]))
def test_every_block_goes_to_as_many_annotators_as_wanted(tmp_path_factory, seed, share):
    dice = random.Random(seed)
    store = Store(tmp_path_factory.mktemp("hand") / "desk.sqlite", IDENTITY)
    hand = handout(store, double_share=share)
    seen: dict[Item, list[str]] = {}
    idle = 0
    while idle < 12:
        who = dice.choice(["Anna", "Ben", "Chen"])
        item = take(hand, who)
        if item is None:
            idle += 1
            continue
        assert who not in seen.get(item, [])
        if dice.random() < 0.2:
            continue  # goes for a coffee; the block stays with them
        answer(store, hand, who, item)
        seen.setdefault(item, []).append(who)
    expected = {
        Item(block, source): hand.wanted(block) for block in BLOCKS for source in ("a", "b")
    }
    # Whoever still holds a block that nobody finished gets it again: nothing is forgotten.
    for who in ("Anna", "Ben", "Chen"):
        while (item := take(hand, who)) is not None:
            answer(store, hand, who, item)
            seen.setdefault(item, []).append(who)
    assert {item: len(names) for item, names in seen.items()} == expected
    assert hand.progress("Anna")["done"] == hand.progress("Anna")["wanted"]
    store.close()


def test_the_double_share_is_about_what_was_asked_for_and_does_not_move(store):
    many = [f"E{number:05d}N2400" for number in range(0, 17000, 5)]
    hand = handout(store, orders={"map": many}, double_share=0.1)
    twice = [block for block in many if hand.wanted(block) == 2]
    assert abs(len(twice) / len(many) - 0.1) < 3 * np.sqrt(0.1 * 0.9 / len(many))
    larger = handout(store, orders={"map": many}, double_share=0.3)
    assert all(larger.wanted(block) == 2 for block in twice), "a larger share keeps those chosen"


def test_a_block_nobody_answers_is_free_again_after_a_while(store):
    hand = handout(store, claim_minutes=1e-9)
    assert take(hand, "Anna").block_id == take(hand, "Ben").block_id
    assert store.was_handed(COVERAGE.key, BLOCKS[0], "Anna"), "a late answer is still welcome"


def test_skipped_blocks_go_to_others_and_come_back_on_demand(store):
    hand = handout(store, task=options_task("a", "b"))
    first = take(hand, "Anna")
    answer(store, hand, "Anna", first, value=None)
    assert take(hand, "Anna", after=first).block_id == BLOCKS[1]
    assert take(hand, "Ben") == first
    assert take(hand, "Anna", scope="skipped") == first
    assert take(hand, "Anna", scope="mine") is None


def test_labelled_items_are_passed_over(store):
    labelled = [Item(BLOCKS[0], "a"), Item(BLOCKS[1], "a"), Item(BLOCKS[1], "b")]
    hand = handout(store, labelled=labelled)
    assert take(hand, "Anna") == Item(BLOCKS[0], "b")
    assert hand.progress("Anna")["wanted"] == 2 * len(BLOCKS) - 3
    assert hand.map_states() == "hl" + "." * (len(BLOCKS) - 2)


def test_a_chosen_block_of_another_annotator_is_only_shown(store):
    hand = handout(store)
    item = take(hand, "Anna")
    assert hand.open("Ben", item) == ["Anna"]
    assert not store.was_handed(COVERAGE.key, item.block_id, "Ben")
    assert hand.open("Anna", item) == []


def test_orders_follow_the_measured_values(open_desk, tiny):
    desk = open_desk()
    truth = json.loads((tiny.results / "tiny" / "truth.json").read_text())
    # The worse source of a block counts.
    alarm = 1 - np.array(truth["p_tp"]).reshape(-1, 2).min(axis=1)
    hand = desk.handouts["options"]
    order = [item.block_id for item in hand.items("alarms")]
    assert order == [tiny.ids[k] for k in np.argsort(-alarm)]
    consistency = np.array(truth["consistency"])
    order = [item.block_id for item in hand.items("disagreement")]
    assert order[:-1] == [tiny.ids[k] for k in np.argsort(consistency)][:-1]
    assert order[-1] == tiny.ids[0], "not measured comes last"
    assert sorted(item.block_id for item in hand.items("random")) == sorted(tiny.ids)


@pytest.mark.parametrize("suffix", ["csv", "gpkg", "parquet"])
def test_a_ranked_list_comes_first_with_its_reasons(open_desk, tiny, tmp_path, suffix):
    chosen = random.Random(2).sample(tiny.ids, 3)
    frame = gpd.GeoDataFrame(
        {"block_id": chosen, "rank": [3, 1, 2], "reason": ["far", "near", "between"]},
        geometry=gpd.points_from_xy([0, 1, 2], [0, 0, 0]),
        crs=4326,
    )
    path = tmp_path / f"ranked.{suffix}"
    if suffix == "csv":
        frame.drop(columns="geometry").to_csv(path, index=False)
    elif suffix == "gpkg":
        frame.to_file(path)
    else:
        frame.to_parquet(path)
    desk = open_desk(ranked=path)
    assert next(iter(desk.orders)) == "ranked"
    items = list(desk.handouts["options"].items("ranked"))
    assert [item.block_id for item in items] == [chosen[1], chosen[2], chosen[0]]
    assert desk.reasons[chosen[1]] == "near"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("block\nE1\n", "no column 'block_id'"),
        ("block_id,rank\n{id},first\n", "rank that is no number"),
        ("block_id\nE00000N0000\n", "not handed out"),
    ],
)
def test_a_faulty_ranked_list_is_one_message(open_desk, tiny, tmp_path, text, message):
    path = tmp_path / "ranked.csv"
    path.write_text(text.format(id=tiny.ids[0]))
    with pytest.raises(InputError, match=message):
        open_desk(ranked=path)


def test_a_systematic_sample(open_desk, tiny):
    desk = open_desk(every_blocks=2)
    rows = desk.blocks.set_index("block_id")
    assert 0 < len(desk.sampled) < len(tiny.ids)
    assert all(rows.loc[b, "row"] % 2 == 0 and rows.loc[b, "col"] % 2 == 0 for b in desk.sampled)

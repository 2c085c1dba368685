"""Holding out labelled blocks: shares, groups, rare classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croplayer.blocks.splitting import stratified_group_split

ROWS = st.lists(st.tuples(st.integers(0, 25), st.sampled_from("abcd")), min_size=1, max_size=80)


def split(rows, fraction=0.2, seed=0):
    groups = np.array([f"g{g:02d}" for g, _ in rows])
    labels = np.array([c for _, c in rows])
    return labels, groups, stratified_group_split(labels, groups, test_fraction=fraction, seed=seed)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 5))
def test_no_block_on_both_sides_and_no_class_without_training(rows, fraction, seed):
    labels, groups, test = split(rows, fraction, seed)
    assert not set(groups[test]) & set(groups[~test])
    assert set(labels[~test]) == set(labels)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    _, groups, test = split(rows)
    _, groups_2, test_2 = split(shuffled)
    assert set(groups[test]) == set(groups_2[test_2])


def test_each_class_is_held_out_in_its_share():
    rng = np.random.default_rng(1)
    labels = np.repeat(["TP", "FP", "Noise"], [600, 150, 50])
    groups = np.array([f"b{k:04d}" for k in rng.permutation(800)])
    test = stratified_group_split(labels, groups, test_fraction=0.2, seed=3)
    counts = {name: int(test[labels == name].sum()) for name in ("TP", "FP", "Noise")}
    assert counts == {"TP": 120, "FP": 30, "Noise": 10}


def test_both_sources_of_a_block_stay_together_and_shares_hold_nearly():
    rng = np.random.default_rng(2)
    groups = np.repeat([f"b{k:03d}" for k in range(300)], 2)
    labels = rng.choice(["TP", "FP", "Noise", "Artifacts"], 600, p=[0.7, 0.15, 0.1, 0.05])
    test = stratified_group_split(labels, groups, test_fraction=0.2, seed=0)
    assert np.array_equal(test[::2], test[1::2])
    for name in np.unique(labels):
        assert test[labels == name].mean() == pytest.approx(0.2, abs=0.08)


def test_a_class_of_one_block_is_trained_on():
    labels = np.array(["TP"] * 10 + ["Noise", "Noise"])
    groups = np.array([f"b{k}" for k in range(10)] + ["x", "x"])
    test = stratified_group_split(labels, groups, test_fraction=0.2, seed=0)
    assert not test[10:].any()
    assert test.sum() == 2


def test_another_seed_holds_out_other_blocks():
    labels, groups = np.repeat("TP", 50), np.array([f"b{k:02d}" for k in range(50)])
    held = [
        tuple(stratified_group_split(labels, groups, test_fraction=0.2, seed=s)) for s in (0, 1)
    ]
    assert held[0] != held[1]

"""The strategy on tables: priorities, quotas, random draws."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croplayer.active.choosing.strata import assign_strata
from croplayer.active.choosing.strategy import (
    choose_diverse,
    draw_by_strength,
    draw_random,
    percentiles,
    priorities,
    quotas_of,
    strengths,
)
from croplayer.settings.active import ActiveSettings, Stratum


@given(st.lists(st.one_of(st.none(), st.floats(-5, 5)), min_size=1, max_size=20))
def test_percentile_is_the_share_of_the_others_that_are_smaller(values):
    found = percentiles(pd.Series(values, dtype="float64"))
    known = [v for v in values if v is not None]
    for value, rank in zip(values, found, strict=True):
        if value is None:
            assert np.isnan(rank)
        else:
            smaller = sum(other < value for other in known)
            assert rank == pytest.approx(smaller / max(len(known) - 1, 1))


def test_priority_is_the_weighted_mean_of_the_known_signs():
    signs = pd.DataFrame(
        {
            "alarm": [0.9, np.nan, 0.0],
            "disagreement": [0.1, 0.2, np.nan],
            "uncertainty": [0.3, 0.1, 0.2],
        }
    )
    strong = strengths(signs)
    assert strong["alarm"].tolist()[0] == 0.9, "a probability stays what it is"
    assert strong["disagreement"].tolist()[:2] == [0.0, 1.0]
    weights = {"alarm": 2.0, "disagreement": 1.0, "uncertainty": 1.0}
    assert priorities(strong, weights).tolist() == pytest.approx(
        [(2 * 0.9 + 0 + 1) / 4, (1 + 0) / 2, (0 + 0.5) / 3]
    )
    assert priorities(strong, {"alarm": 1.0}).tolist() == [0.9, 0.0, 0.0]


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=30, deadline=None)
def test_quotas_are_kept_and_nothing_is_chosen_twice(seed, diversity):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 40))
    strata = rng.choice(["a", "b", "c"], n)
    quotas = quotas_of(strata, {"a": 0.5, "b": None, "c": None}, int(rng.integers(1, n)))
    chosen, distances = choose_diverse(
        priority=rng.random(n),
        strata=strata,
        quotas=quotas,
        embeddings=rng.normal(size=(n, 3)),
        labelled=rng.normal(size=(2, 3)),
        diversity=diversity,
    )
    assert len(set(chosen)) == len(chosen) == len(distances) == sum(quotas.values())
    assert Counter(strata[chosen]) == Counter({k: v for k, v in quotas.items() if v})
    assert all(np.isfinite(distances))


PRIORITY = np.array([0.1, 0.9, 0.5, 0.7, 0.8, 0.2])
PLACES = np.array([[50.0, 0], [1, 0], [0, 0], [3, 0], [1.1, 0], [9, 0]])


@pytest.mark.parametrize(
    ("diversity", "pool"),
    [(0, {1, 4}), (0.5, {1, 4, 3}), (0.8, {1, 4, 3, 2, 5}), (1, set(range(6)))],
)
def test_diversity_is_the_share_of_candidates_among_which_the_farthest_are_taken(diversity, pool):
    chosen, distances = choose_diverse(
        priority=PRIORITY, strata=["a"] * 6, quotas={"a": 2}, embeddings=PLACES,
        labelled=np.array([[0.0, 0]]), diversity=diversity,
    )  # fmt: skip
    first = max(pool, key=lambda i: PLACES[i, 0])
    gaps = {i: min(PLACES[i, 0], abs(PLACES[i, 0] - PLACES[first, 0])) for i in pool - {first}}
    second = max(gaps, key=gaps.get)
    assert chosen == [first, second]
    assert distances == pytest.approx([PLACES[first, 0], gaps[second]])


def test_twins_are_not_chosen_one_after_the_other():
    places = np.array([[0.0, 0], [0, 0], [3, 0]])
    chosen, _ = choose_diverse(
        priority=np.array([1.0, 0.99, 0.4]), strata=["a"] * 3, quotas={"a": 2}, embeddings=places,
        labelled=np.array([[9.0, 9]]), diversity=1,
    )  # fmt: skip
    assert chosen == [0, 2]


def test_every_block_is_drawn_with_the_stated_probability():
    counts = np.zeros(20)
    for seed in range(3000):
        drawn = draw_random(20, 5, np.random.default_rng(seed))
        assert len(set(drawn)) == 5
        counts[drawn] += 1
    # 3000 draws of probability 1/4: standard deviation 24; five of them.
    assert np.abs(counts - 750).max() < 120


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
def test_pairs_are_drawn_one_after_the_other_in_proportion_to_the_power_of_strength(power):
    strength = np.array([1.0, 0.8, 0.5, 0.2])
    weight = strength**power
    rng = np.random.default_rng(7)
    pairs = Counter(tuple(draw_by_strength(strength, 2, power, rng)) for _ in range(6000))
    for first, second in permutations(range(4), 2):
        chance = weight[first] / weight.sum() * weight[second] / (weight.sum() - weight[first])
        error = 5 * np.sqrt(6000 * chance * (1 - chance)) + 1
        assert abs(pairs[first, second] - 6000 * chance) < error


@given(st.lists(st.floats(0, 1), max_size=12), st.integers(0, 15), st.integers(0, 99))
def test_those_of_no_strength_are_drawn_last_and_none_twice(strength, count, seed):
    values = np.array(strength)
    drawn = draw_by_strength(values, count, 4.0, np.random.default_rng(seed))
    assert len(set(drawn)) == len(drawn) == min(count, len(strength))
    assert (np.diff(values[drawn] == 0) >= 0).all()
    strongest = draw_by_strength(values, count, 1e12, np.random.default_rng(seed))
    distinct = len(set(strength)) == len(strength) and (np.diff(np.sort(values)) > 1e-6).all()
    if distinct:
        assert strongest.tolist() == np.argsort(-values)[:count].tolist()


def test_a_block_belongs_to_the_first_stratum_that_fits():
    strata = (
        Stratum(name="green plain", slope_below_degrees=2, coverage_types=("planting",)),
        Stratum(name="plain", slope_below_degrees=2),
        Stratum(name="rest"),
    )
    table = pd.DataFrame(
        {
            "slope": [1.0, 1.0, 2.0, np.nan],
            "coverage_type": ["planting", "non_planting", "planting", "planting"],
        }
    )
    assert assign_strata(table, strata).tolist() == ["green plain", "plain", "rest", "rest"]


@pytest.mark.parametrize(
    ("strata", "words"),
    [
        ([{"name": "a", "slope_below_degrees": 3}], "must take every block"),
        ([{"name": "a", "share": 0.9}, {"name": "b", "share": 0.2}], "more than 1"),
        ([{"name": "a", "share": 0.5}, {"name": "b", "share": 0.2}], "less than 1"),
        ([{"name": "a"}, {"name": "a"}], "two strata"),
    ],
)
def test_strata_that_cannot_work_are_refused(strata, words):
    with pytest.raises(ValueError, match=words):
        ActiveSettings(strata=strata)


def test_weights_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        ActiveSettings(
            weights=dict.fromkeys(("alarm", "disagreement", "product", "uncertainty"), 0)
        )

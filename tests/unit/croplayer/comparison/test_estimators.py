"""Stratified estimators against the worked example of Olofsson et al. (2014), and a bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croplayer.comparison.estimators import Z_95, Design, assess

# Olofsson et al. (2014), section 5: four map classes (deforestation, forest gain, stable forest,
# stable non-forest), counts of the sample [map class, reference class], mapped pixels of 30 m.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED_HA = np.array([200_000, 150_000, 3_200_000, 6_450_000]) * 0.09


@pytest.fixture(scope="module")
def example():
    stratum = np.repeat(np.arange(4), COUNTS.sum(axis=1))
    reference = np.concatenate([np.repeat(np.arange(4), row) for row in COUNTS])
    return Design(stratum, MAPPED_HA), stratum, reference


@pytest.mark.parametrize(
    ("k", "area_ha", "half_ha", "users", "producers"),
    [
        (0, 21_158, 6_158, (0.88, 0.07), 0.75),
        (1, 11_686, 3_756, (0.73, 0.10), 0.85),
        (2, 285_770, 15_510, (0.93, 0.04), 0.93),
        (3, 581_386, 16_282, (0.96, 0.02), 0.96),
    ],
)
def test_the_worked_example_of_olofsson(example, k, area_ha, half_ha, users, producers):
    design, mapped, reference = example
    found = assess(design, mapped == k, np.ones(len(mapped), bool), reference == k)
    assert found.reference_area_ha.value == pytest.approx(area_ha, abs=1)
    assert Z_95 * found.reference_area_ha.standard_error == pytest.approx(half_ha, rel=0.001)
    assert found.mapped_area_ha.value == pytest.approx(MAPPED_HA[k])
    assert found.users.value == pytest.approx(users[0], abs=0.006)
    assert Z_95 * found.users.standard_error == pytest.approx(users[1], abs=0.006)
    assert found.producers.value == pytest.approx(producers, abs=0.006)


def test_overall_accuracy_of_the_worked_example(example):
    design, mapped, reference = example
    overall = design.share(mapped == reference)
    assert overall.value == pytest.approx(0.947, abs=0.0005)
    assert Z_95 * overall.standard_error == pytest.approx(0.018, abs=0.001)


def test_standard_errors_are_those_of_the_formulas_of_olofsson(example):
    """Eq. 6 and 7, written out from the matrix, for strata that are the classes of the map."""
    design, mapped, reference = example
    n, total = COUNTS.sum(axis=1), MAPPED_HA
    users = np.diag(COUNTS) / n
    for k in range(4):
        found = assess(design, mapped == k, np.ones(len(mapped), bool), reference == k)
        assert found.users.standard_error == pytest.approx(
            np.sqrt(users[k] * (1 - users[k]) / (n[k] - 1))
        )
        column = COUNTS[:, k] / n
        area = total @ column
        producers = total[k] * users[k] / area
        others = [i for i in range(4) if i != k]
        variance = (
            total[k] ** 2 * (1 - producers) ** 2 * users[k] * (1 - users[k]) / (n[k] - 1)
            + producers**2
            * sum(total[i] ** 2 * column[i] * (1 - column[i]) / (n[i] - 1) for i in others)
        ) / area**2
        assert found.producers.standard_error == pytest.approx(np.sqrt(variance))


def test_standard_errors_are_those_of_a_bootstrap():
    """Strata that are not the classes of the map, and ground that the map knows nothing of."""
    rng = np.random.default_rng(0)
    area = np.array([300.0, 500.0, 200.0])
    stratum = np.repeat([0, 1, 2], [120, 150, 100])
    truth = rng.random(370) < np.array([0.9, 0.4, 0.1])[stratum]
    mapped = np.where(rng.random(370) < 0.85, truth, ~truth)
    known = rng.random(370) < 0.9
    found = assess(Design(stratum, area), mapped, known, truth)
    draws = {name: [] for name in ("overall", "users", "producers", "iou", "reference_area_ha")}
    places = [np.flatnonzero(stratum == k) for k in range(3)]
    for _ in range(1500):
        pick = np.concatenate([rng.choice(p, len(p)) for p in places])
        weight = (area / np.bincount(stratum))[stratum][pick]
        m, t, k = (mapped & known)[pick], truth[pick], known[pick]
        draws["overall"].append(weight[k & (m == t)].sum() / weight[k].sum())
        draws["users"].append(weight[m & t].sum() / weight[m].sum())
        draws["producers"].append(weight[m & t].sum() / weight[k & t].sum())
        draws["iou"].append(weight[m & t].sum() / weight[m | (k & t)].sum())
        draws["reference_area_ha"].append(weight[t].sum())
    for name, values in draws.items():
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(np.mean(values), rel=0.01), name
        assert estimate.standard_error == pytest.approx(np.std(values), rel=0.08), name


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_laws(seed, strata):
    rng = np.random.default_rng(seed)
    stratum = np.repeat(np.arange(strata), rng.integers(2, 30, strata))
    design = Design(stratum, rng.uniform(1, 100, strata))
    truth, mapped = rng.random(len(stratum)) < 0.5, rng.random(len(stratum)) < 0.5
    everywhere = np.ones(len(stratum), bool)
    found = assess(design, mapped, everywhere, truth)
    inverse = assess(design, ~mapped, everywhere, ~truth)
    assert found.overall.value == pytest.approx(inverse.overall.value)
    assert found.overall.standard_error == pytest.approx(inverse.overall.standard_error)
    total = found.reference_area_ha.value + inverse.reference_area_ha.value
    assert total == pytest.approx(design.area_ha.sum())
    perfect = assess(design, truth, everywhere, truth)
    assert perfect.overall.value == 1 and perfect.overall.standard_error == pytest.approx(
        0, abs=1e-9
    )


def test_what_the_sample_cannot_tell_is_missing():
    design = Design(np.array([0, 0, 0]), np.array([10.0]))
    none = np.zeros(3, bool)
    found = assess(design, none, ~none, np.array([True, False, False]))
    assert np.isnan(found.users.value) and found.producers.value == 0

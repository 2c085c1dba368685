"""How the benchmark of active learning cuts windows, chooses extents and counts what is saved."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

from active_learning import BUDGETS, by_budget, ratio_at  # noqa: E402
from active_learning_choice import embeddings, next_extents, signs_of_doubt  # noqa: E402
from active_learning_loop import Budget, Way, simulate  # noqa: E402
from active_learning_pools import Pool, cut, cut_smaller  # noqa: E402

from croplayer.settings.active import ActiveSettings  # noqa: E402

BLOCKS, EDGE, LATTICE = 10, 72, 2
RNG = np.random.default_rng(3)
IMAGES = RNG.random((1, BLOCKS, EDGE, EDGE, 3)).repeat(2, axis=0).astype(np.float32)
"""(sources, blocks, rows, columns, features): two sources of the same images; cropland is where the
first feature is high."""


def pool_of(edge: int) -> Pool:
    """The images in windows of `edge` pixels, every second pixel of which is kept."""
    parts = [np.concatenate([cut(block, edge, LATTICE) for block in source]) for source in IMAGES]
    count = (EDGE // edge) ** 2
    labels = np.concatenate([cut(block[..., 0] > 0.5, edge, LATTICE) for block in IMAGES[0]])
    site = np.repeat(np.arange(BLOCKS), count)
    features, usable = np.stack(parts, axis=1), np.ones((len(labels), 2), bool)
    return Pool(
        "made", features, usable, labels, site, site % 5,
        np.full(len(labels), np.nan), edge**2 / 1e4,
    )  # fmt: skip


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_smaller_windows_hold_the_pixels_of_their_window(parts):
    large, small = pool_of(12), cut_smaller(pool_of(12), parts)
    direct = pool_of(12 // parts)
    assert small.area_ha == pytest.approx(direct.area_ha)
    assert (small.site == direct.site).all() and (small.fold == direct.fold).all()
    for values, aimed in ((small.features, direct.features), (small.labels, direct.labels)):
        rows = {row.tobytes() for row in values}
        assert values.shape == aimed.shape and rows == {row.tobytes() for row in aimed}
    together = small.labels.reshape(len(large.labels), -1).sum(axis=1)
    assert (together == large.labels.sum(axis=1)).all()


def test_the_strategy_takes_as_many_extents_in_each_chosen_block():
    pool = cut_smaller(pool_of(12), 3)
    left = np.flatnonzero(pool.fold > 0)
    settings = ActiveSettings(extents_per_block=20)
    rng = np.random.default_rng(0)
    found = next_extents(
        pool, left, embeddings(pool), lambda x: x[..., 0], 100, settings, signs_of_doubt, rng
    )
    assert len(set(found)) == 100 and set(found) <= set(left)
    assert np.unique(pool.site[found], return_counts=True)[1].tolist() == [20] * 5
    # The learner is unsure where its probability is near a half.
    doubt = np.abs(pool.features[..., 0] - 0.5).mean(axis=(1, 2))
    assert doubt[found].mean() < doubt[left].mean() - doubt[left].std() / 2


def test_every_way_starts_from_the_same_windows_and_learns():
    pool = cut_smaller(pool_of(12), 2)
    budget = Budget(start=4, batch=4, rounds=2)
    strategy = ActiveSettings(extents_per_block=4)
    ways = [Way(whole=True, doublings=2), Way(), Way(strategy=strategy)]
    curves = [simulate(pool, 2, budget, way, seed=1) for way in ways]
    assert [len(curve) for curve in curves] == [5, 3, 3]
    assert len({curve[0] for curve in curves}) == 1
    assert min(curve[-1] for curve in curves) > curves[0][0]


def test_what_is_saved_is_told_for_each_budget():
    labelled = np.array([8.0, 16, 24, 32, 40, 48, 56, 64])
    theirs = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]])
    ours = np.array([[0.1, 0.3, 0.25, 0.4, 0.8]])
    assert ratio_at(labelled, theirs, ours, 1) == 1.0
    assert ratio_at(labelled, theirs, ours, 2) is None, "not for good"
    assert ratio_at(labelled, theirs, ours, 7) == 40 / 64
    assert ratio_at(labelled, theirs + 0.01, ours, 7) is None
    assert by_budget(labelled, theirs, ours, 3) == {"16": 1.0, "32": 1.0, "64": 0.625}
    assert min(BUDGETS) * 32 == 8


def test_the_table_of_the_docs_is_made_of_the_rows_that_are_kept():
    rows = json.loads((FOLDER / "results" / "active_learning.json").read_text(encoding="utf-8"))
    page = (FOLDER.parent / "docs" / "active_learning.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (naip_fields|generated province), ([a-z ]+) \| (.*) \|$", page, re.M)
    kept = [
        (
            pool,
            peer,
            " | ".join(
                f"{area} ha: {'not reached' if ratio is None else f'{ratio:.3g}'}"
                for area, ratio in row["ratio_by_budget_ha"].items()
            ),
        )
        for row in rows
        for peer, pool in [row["case"].removeprefix("labels for the IoU of ").split(", ")]
    ]
    cells = [(pool, peer, text.rstrip(" |-")) for pool, peer, text in told]
    assert cells == kept

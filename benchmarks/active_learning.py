"""How many labels the strategy saves beside random sampling; see `--help`.

The loop of active learning is simulated with truth that is held back: windows are chosen, labelled
from the truth, and learned, round by round, and the map of the held-out fold is measured (IoU of
cropland). Random sampling and the strategy of `snakemake choose` (its own functions, with the
defaults of `active`) begin with the same random windows; each of five seeds holds out another fold
of the images or blocks. The learner is a classifier of pixels by gradient-boosted trees on colour
and texture, cheap enough to be trained hundreds of times; it is not the segmentation network.
"Ours" are the hectares of labels from which on the strategy's mean IoU stays at or above that
which random sampling reaches with all its labels, "peer" are all its labels. Nothing is saved on
the random blocks that both need to measure accuracy. A third way puts the true errors of the map,
which nobody can know, in the place of all signs: what better signs could add.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from active_learning_loop import Budget, simulate
from active_learning_pools import Pool, generated_province, naip_fields
from rows import parse_options, row, run_cases

from croplayer.settings.active import ActiveSettings

ORACLE = "errors known"
SEEDS, QUICK_SEEDS = 5, 2
BAR = 0.5
"""Share of random sampling's labels with which its IoU is to be reached."""
STEP = 4
"""Every fourth pixel of a window, along both axes, is learned from."""
EDGES = {"naip_fields": 32, "generated": 24}
"""Pixels along the edge of a window: 128 m of real fields, 220 m of the generated province."""
FULL, QUICK = Budget(start=32, batch=32, rounds=7), Budget(start=16, batch=16, rounds=3)


def main() -> None:
    options = parse_options(__doc__, full="twenty minutes")
    full = options.full
    pools = {
        "naip_fields": lambda: naip_fields(
            options.data_root, edge=EDGES["naip_fields"], step=STEP, only=None if full else 10
        ),
        "generated": lambda: generated_province(edge=EDGES["generated"], step=STEP, small=not full),
    }
    budget, seeds = (FULL, SEEDS) if full else (QUICK, QUICK_SEEDS)
    cases = {
        name: lambda make=make: simulated(make(), budget, seeds, BAR if full else None)
        for name, make in pools.items()
    }
    run_cases(cases, options, seed=0, packages=("numpy", "scipy", "xgboost"))


def simulated(pool: Pool | None, budget: Budget, seeds: int, bar: float | None) -> dict | None:
    """One pool, all ways of sampling, all seeds; None without data."""
    if pool is None:
        return None
    curves = {}
    ways = {
        "random": {"strategy": None},
        "strategy": {"strategy": ActiveSettings()},
        ORACLE: {"strategy": ActiveSettings(), "errors_known": True},
    }
    for name, way in ways.items():
        runs = [simulate(pool, budget, seed=seed, **way) for seed in range(seeds)]
        curves[name] = np.array([[value for _, value in run] for run in runs])
    labelled = np.array([count for count, _ in runs[0]]) * pool.area_ha
    return compared(pool, labelled, curves, bar)


def compared(
    pool: Pool, labelled: np.ndarray, curves: dict[str, np.ndarray], bar: float | None
) -> dict:
    """The row of a pool.

    Parameters
    ----------
    labelled : (rounds,) hectares of labels. curves : way of sampling -> (seeds, rounds) IoU.
    bar : of the ratio of hectares; None for sizes too small to tell.
    """
    peer, ours = curves["random"], curves["strategy"]
    goal = float(peer[:, -1].mean())
    needed = reached_for_good(labelled, ours.mean(axis=0), goal)
    ratio = None if needed is None else needed / labelled[-1]
    half = int(np.searchsorted(labelled, labelled[-1] / 2, side="right")) - 1
    ahead = int((ours[:, half] > peer[:, half]).sum())
    note = (
        f"mean IoU over {len(peer)} seeds with all labels {goal:.3f} by random sampling (spread "
        f"{peer[:, -1].std(ddof=1):.3f}) and {ours[:, -1].mean():.3f} by the strategy "
        f"({ours[:, -1].std(ddof=1):.3f}); with half of them {peer[:, half].mean():.3f} and "
        f"{ours[:, half].mean():.3f}, the strategy ahead in {ahead} seeds; "
        f"if every error of the map were known: {curves[ORACLE][:, half].mean():.3f} with half, "
        f"{curves[ORACLE][:, -1].mean():.3f} with all"
    )
    found = row(
        f"labels for the IoU of random sampling, {pool.name}",
        needed if needed is not None else float(labelled[-1]),
        float(labelled[-1]),
        bar,
        bar is None or (ratio is not None and ratio <= bar),
        len(pool.labels),
        unit="ha",
        ratio=ratio,
        note=note,
    )
    every = {name: runs.round(4).tolist() for name, runs in curves.items()}
    return found | {"labelled_ha": labelled.round(1).tolist(), "iou": every}


def reached_for_good(labelled: np.ndarray, curve: np.ndarray, goal: float) -> float | None:
    """The first of `labelled` from which on the curve is never below `goal`; None if it ends so."""
    below = np.flatnonzero(curve < goal)
    first = below[-1] + 1 if len(below) else 0
    return float(labelled[first]) if first < len(curve) else None


if __name__ == "__main__":
    main()

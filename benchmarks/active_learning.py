"""How many labels the strategy saves beside random sampling; see `--help`.

The loop of active learning is simulated with truth that is held back: extents are chosen, labelled
from the truth, and learned, round by round, and the map of the held-out fold is measured (IoU of
cropland). Random sampling labels whole windows; the strategy of `snakemake choose` (its own
functions, with the defaults of `active` but for the number of extents in a block) chooses blocks
and in each of them some small extents; the pools have few blocks, so that one may be chosen again.
Both begin with the same random windows, label equal areas, and have the same learner; each of five
seeds holds out another fold of the blocks or images. The learner is a classifier of pixels by
gradient-boosted trees on colour and texture, cheap enough to be trained hundreds of times; it is
not the segmentation network. "Ours" are the hectares of labels from which on the strategy's mean
IoU stays at or above that which random sampling reaches with all its labels, "peer" are all its
labels; a second row lets random sampling label extents as small as the strategy's. Nothing is saved
on the random blocks that both need to measure accuracy. A last way puts the true errors of the map,
which nobody can know, in the place of all signs: what better signs could add.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from active_learning_choice import signs_of_errors
from active_learning_loop import Budget, Way, simulate
from active_learning_pools import Pool, cut_smaller, generated_province, naip_fields
from rows import parse_options, row, run_cases

from croplayer.settings.active import ActiveSettings

RANDOM, SMALL = "random windows", "random small extents"
STRATEGY, ORACLE = "strategy", "errors known"
SEEDS, QUICK_SEEDS = 5, 2
BAR = 0.5
"""Share of random sampling's labels with which its IoU is to be reached."""
STEP = 4
"""Every fourth pixel of a window, along both axes, is learned from."""
FULL, QUICK = Budget(start=32, batch=32, rounds=7), Budget(start=16, batch=16, rounds=3)
DOUBLINGS = {RANDOM: 2, SMALL: 1, STRATEGY: 1, ORACLE: 0}
"""How often each way doubles the budget at its end: how the saving depends on the budget."""
BUDGETS = (0.25, 0.5, 1, 2, 4)
"""Random sampling's labels beside the budget, for each of which the saving is told."""


@dataclass(frozen=True)
class Size:
    """The unit of labelling in a pool.

    edge : pixels along a window of random sampling; parts : the strategy's extents are so many
    times narrower, about 70 m wide; extents_per_block : of the strategy, per block or image.
    """

    edge: int
    parts: int
    extents_per_block: int


NAIP = Size(edge=32, parts=2, extents_per_block=2)
"""Windows of 128 m, extents of 64 m. An image is a seventh of a block, so it gets a seventh of the
extents; a round takes them from all of the 24 images then, which cannot be chosen from."""
GENERATED = Size(edge=24, parts=3, extents_per_block=16)
"""Windows of 220 m, extents of 73 m: 72 along the edge of a block, as by default. There are more of
them in a block than by default, so that 18 of some 25 blocks are chosen in a round and not all."""


def main() -> None:
    options = parse_options(__doc__, full="seven minutes")
    full = options.full

    def naip() -> Pool | None:
        only = None if full else 10
        return naip_fields(options.data_root, edge=NAIP.edge, step=STEP, only=only)

    def generated() -> Pool:
        return generated_province(edge=GENERATED.edge, step=STEP, small=not full)

    cases = {
        "naip_fields": lambda: simulated(naip, NAIP, full),
        "generated": lambda: simulated(generated, GENERATED, full),
    }
    run_cases(cases, options, seed=0, packages=("numpy", "scipy", "xgboost"))


def simulated(make: Callable[[], Pool | None], size: Size, full: bool) -> list[dict] | None:
    """The rows of a pool, after all ways of labelling and all seeds; None without data."""
    pool = make()
    if pool is None:
        return None
    budget, seeds = (FULL, SEEDS) if full else (QUICK, QUICK_SEEDS)
    strategy = ActiveSettings(extents_per_block=size.extents_per_block)
    ways = {
        RANDOM: {"whole": True},
        SMALL: {},
        STRATEGY: {"strategy": strategy},
        ORACLE: {"strategy": strategy, "signs": signs_of_errors},
    }
    extents = cut_smaller(pool, size.parts)
    curves = {}
    for name, choice in ways.items():
        way = Way(**choice, doublings=DOUBLINGS[name] if full else 0)
        runs = [simulate(extents, size.parts, budget, way, seed=seed) for seed in range(seeds)]
        curves[name] = np.array(runs)
    labelled = np.array(budget.counts(DOUBLINGS[RANDOM] if full else 0)) * pool.area_ha
    bar = BAR if full else None
    whole = budget.rounds
    return [
        compared(pool, size, labelled, curves, peer=RANDOM, whole=whole, bar=bar)
        | {
            "labelled_ha": labelled.round(1).tolist(),
            "iou": {name: runs.round(4).tolist() for name, runs in curves.items()},
        },
        compared(pool, size, labelled, curves, peer=SMALL, whole=whole, bar=bar),
    ]


def compared(
    pool: Pool,
    size: Size,
    labelled: np.ndarray,
    curves: dict[str, np.ndarray],
    *,
    peer: str,
    whole: int,
    bar: float | None,
) -> dict:
    """The row of a pool and of a way of random sampling.

    Parameters
    ----------
    labelled : (rounds,) hectares of labels. curves : way -> (seeds, rounds) IoU, some of them
        shorter than others.
    whole : the round with which the budget is labelled.
    bar : of the ratio of hectares; None for sizes too small to tell.
    """
    theirs, ours = curves[peer], curves[STRATEGY]
    ratio = ratio_at(labelled, theirs, ours, whole)
    half = int(np.searchsorted(labelled, labelled[whole] / 2, side="right")) - 1
    ahead = int((ours[:, half] > theirs[:, half]).sum())
    metres = np.sqrt(pool.area_ha * 1e4)
    drawn = metres if peer == RANDOM else metres / size.parts
    note = (
        f"random sampling in windows {drawn:.0f} m wide, the strategy in extents of "
        f"{metres / size.parts:.0f} m, equal hectares; mean IoU over {len(ours)} seeds with all "
        f"labels {spread(theirs[:, whole])} and {spread(ours[:, whole])} by the strategy; with "
        f"half of them {spread(theirs[:, half])} and {spread(ours[:, half])}, the strategy ahead "
        f"in {ahead} seeds; if every error of the map were known {spread(curves[ORACLE][:, half])} "
        "with half"
    )
    found = row(
        f"labels for the IoU of {peer}, {pool.name}",
        float(labelled[whole]) * (1.0 if ratio is None else ratio),
        float(labelled[whole]),
        bar,
        bar is None or (ratio is not None and ratio <= bar),
        len(pool.labels),
        unit="ha",
        ratio=ratio,
        note=note,
    )
    return found | {"ratio_by_budget_ha": by_budget(labelled, theirs, ours, whole)}


def spread(values: np.ndarray) -> str:
    """Mean and standard deviation of the seeds."""
    return f"{values.mean():.3f} (spread {values.std(ddof=1):.3f})"


def by_budget(
    labelled: np.ndarray, theirs: np.ndarray, ours: np.ndarray, whole: int
) -> dict[str, float | None]:
    """Hectares that random sampling labels -> share of them that the strategy needs; None where it
    does not reach as much with what it labels."""
    rounds = [int(np.searchsorted(labelled, labelled[whole] * part * 0.999)) for part in BUDGETS]
    return {
        f"{labelled[end]:.0f}": ratio_at(labelled, theirs, ours, end)
        for end in rounds
        if 0 < end < theirs.shape[1]
    }


def ratio_at(labelled: np.ndarray, theirs: np.ndarray, ours: np.ndarray, end: int) -> float | None:
    """Share of the first `end` rounds' labels from which on, up to these, the strategy's mean IoU
    is never below that of random sampling with all of them; None if it is."""
    goal = theirs[:, end].mean()
    curve = ours.mean(axis=0)[: end + 1]
    below = np.flatnonzero(curve < goal)
    first = below[-1] + 1 if len(below) else 0
    return round(float(labelled[first] / labelled[end]), 6) if first < len(curve) else None


if __name__ == "__main__":
    main()

"""Why a block was chosen, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from croplayer.active.choosing.strategy import DIVERSITY, RANDOM

REASONS = {
    RANDOM: ("#000000", "at random, for accuracy"),
    "alarm": ("#D55E00", "alarm of semantic correctness"),
    "disagreement": ("#E69F00", "the sources disagree"),
    "product": ("#CC79A7", "differs from a product"),
    "uncertainty": ("#0072B2", "uncertain"),
    DIVERSITY: ("#009E73", "unlike what is labelled"),
}
"""Main reason of a block -> colour (Okabe and Ito's) and words; on the map and in QGIS."""
_ALARMS = {
    "p_fp": "cropland where there is none (FP)",
    "p_noise": "noise",
    "p_artifacts": "artifacts",
}
NOTABLE, LEAST = 0.5, 0.05
"""A sign is told if its strength and its value reach these."""


def main_reason(strengths: Mapping[str, float]) -> str:
    """The sign, or `diversity`, that is strongest beside those of the other candidates.

    Parameters
    ----------
    strengths : sign or `diversity` -> 0-1, missing where it is not known or does not count.
    """
    known = {name: value for name, value in strengths.items() if not np.isnan(value)}
    return max(known, key=lambda name: known[name], default=DIVERSITY)


def explain(row: pd.Series, strengths: Mapping[str, float], sources: list[str]) -> str:
    """One line for a person, most of it figures.

    Parameters
    ----------
    row : the block's signs, `reason`, `source`, `inclusion_probability`, `distance`.
    strengths : sign or `diversity` -> 0-1.
    sources : names of the sources, A first.
    """
    words = []
    if row["reason"] == RANDOM:
        words.append(
            f"drawn at random with probability {row['inclusion_probability']:.3g}: label it "
            "whatever else is left out, accuracy is estimated from it"
        )

    def notable(name: str) -> bool:
        strong = _value(strengths, name) >= NOTABLE and _value(row, name) >= LEAST
        return strong or row["reason"] == name

    if notable("alarm"):
        kind = max(_ALARMS, key=lambda name: _value(row, name))
        words.append(f"semantic model: {_value(row, kind):.0%} {_ALARMS[kind]}")
    if notable("disagreement"):
        agree = row["consistency"]
        shared = "" if np.isnan(agree) else f" (IoU of their maps {agree:.2f})"
        words.append(
            f"{' and '.join(sources)} disagree on {row['disagreement']:.1%} of the block{shared}"
        )
    if notable("product"):
        names = [name for name in row.index if name.startswith("product_")]
        name = max(names, key=lambda name: _value(row, name))
        words.append(f"differs from {name.removeprefix('product_')} on {row[name]:.1%}")
    if notable("uncertainty"):
        words.append(
            f"unsure: mean entropy {row['entropy']:.2f} bits, mean margin {row['margin']:.2f}"
        )
    if np.isfinite(row["distance"]):
        if _value(strengths, DIVERSITY) >= NOTABLE or row["reason"] == DIVERSITY:
            words.append(f"unlike what is labelled (distance {row['distance']:.2f})")
    elif row["reason"] != RANDOM:
        words.append("nothing like it is labelled yet")
    return "; ".join(words) or "of high priority in its stratum"


def _value(values: Mapping[str, float], name: str) -> float:
    """0 for what is missing."""
    value = values.get(name, np.nan)
    return 0.0 if pd.isna(value) else float(value)

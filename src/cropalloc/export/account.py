"""The account of the maps: statistics, slack and map of every target, and no hectare lost."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cropbase.errors import CompletenessError

KEYS = ["target_id", "crop", "system"]
ACCOUNT_COLUMNS = [
    "target_id",
    "unit_id",
    "crop",
    "system",
    "statistics_ha",
    "slack_ha",
    "map_ha",
    "difference_ha",
    "judged",
]


def account_of_maps(
    *,
    map_sums: pd.DataFrame,
    targets: pd.DataFrame,
    members: pd.DataFrame,
    systems_areas: pd.DataFrame,
    slack: pd.DataFrame,
    known_for: Literal["target", "whole_area"],
) -> pd.DataFrame:
    """Statistics, slack and map a target and system (I, H, L and A), hectares harvested.

    Parameters
    ----------
    map_sums : `leaf_id, crop, system, map_ha`: sums of the stored values.
    targets, members, systems_areas : tables of one year.
    slack : `kind, unit_id, crop, system, hectares`, > 0 for what could not be placed. A row counts
        where its unit is a target of its crop: of one system it is physical area, and harvested
        area is that times the cropping intensity; of several (`I+H+L`, `A` or empty) it is
        harvested already. Rows of other units (land; totals of the whole area) move nothing
        between map and statistics of a target.

    Returns a row a target and system, sorted, with `difference_ha` = map - (statistics - slack) and
    `judged`: False for I, H and L where systems are known for the whole area alone, as the
    allocation may then shift them between targets. Raises CompletenessError for area on the map
    of a leaf that no target of its crop covers.
    """
    covers = members[["crop", "target_id", "leaf_id"]].merge(
        map_sums, on=["crop", "leaf_id"], how="right"
    )
    stray = covers[covers["target_id"].isna() & (covers["map_ha"] > 0)]
    if len(stray):
        row = stray.iloc[0]
        raise CompletenessError(
            f"{row.crop} lies on the map of leaf {row.leaf_id}, which no target of it covers",
            given=f"{stray['map_ha'].sum():.3f} ha in {stray['leaf_id'].nunique()} leaves",
            remedy="run the allocation anew after the statistics have changed",
        )
    on_map = covers.groupby(KEYS, as_index=False)["map_ha"].sum()
    stated = pd.concat(
        [
            systems_areas[[*KEYS, "harvested_ha", "intensity"]],
            targets[["target_id", "crop", "harvested_ha"]].assign(system="A", intensity=1.0),
        ],
        ignore_index=True,
    ).rename(columns={"harvested_ha": "statistics_ha"})
    lost = _harvested_slack(slack, stated)
    account = (
        stated.merge(targets[["target_id", "crop", "unit_id"]], on=["target_id", "crop"])
        .merge(lost, on=KEYS, how="left")
        .merge(on_map, on=KEYS, how="left")
        .fillna({"slack_ha": 0.0, "map_ha": 0.0})
    )
    account["difference_ha"] = account["map_ha"] - (account["statistics_ha"] - account["slack_ha"])
    account["judged"] = (account["system"] == "A") | (known_for == "target")
    return account[ACCOUNT_COLUMNS].sort_values(["crop", "target_id", "system"], ignore_index=True)


def _harvested_slack(slack: pd.DataFrame, stated: pd.DataFrame) -> pd.DataFrame:
    """`target_id, crop, system, slack_ha` harvested; A sums all rows of a target."""
    of_target = slack.rename(columns={"unit_id": "target_id"})
    one = of_target.merge(stated[[*KEYS, "intensity"]], on=KEYS)
    one = one[one["system"] != "A"]
    one = one.assign(slack_ha=one["hectares"] * one["intensity"])
    several = of_target[~of_target["system"].isin(["I", "H", "L"])].merge(
        stated.loc[stated["system"] == "A", ["target_id", "crop"]], on=["target_id", "crop"]
    )
    several = several.assign(slack_ha=several["hectares"])
    both = pd.concat([one, several])[["target_id", "crop", "slack_ha"]].assign(system="A")
    parts = pd.concat([one[[*KEYS, "slack_ha"]], both[[*KEYS, "slack_ha"]]])
    return parts.astype({"slack_ha": np.float64}).groupby(KEYS, as_index=False)["slack_ha"].sum()


def check_account(account: pd.DataFrame, *, tolerance_share: float, path: Path) -> None:
    """Raise CompletenessError naming the targets whose map is not their statistic less slack.

    Below a statistic of 1 ha the tolerance stays at `tolerance_share` of 1 ha.
    """
    allowed = tolerance_share * np.maximum(account["statistics_ha"], 1.0)
    bad = account[account["judged"] & ~(account["difference_ha"].abs() <= allowed)]
    if bad.empty:
        return
    worst = bad.loc[bad["difference_ha"].abs().sort_values(ascending=False).index].head(5)
    lines = [
        f"{row.crop} {row.system} in {row.target_id}: {row.map_ha:.3f} ha on the map, "
        f"{row.statistics_ha:.3f} ha in the statistics, {row.slack_ha:.3f} ha of slack"
        for row in worst.itertuples()
    ]
    raise CompletenessError(
        f"{len(bad)} total(s) of the maps are not the statistics less the reported slack",
        given="; ".join(lines),
        allowed=f"a difference of {tolerance_share:g} of the statistic",
        remedy=f"see {path}; run the allocation anew: `snakemake --forcerun allocate`",
    )

"""Rule `harmonise_statistics`: targets, their leaves, and the audit of every change."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics.harmonise import Harmonised, Options, UnknownTopError, harmonise
from cropalloc.statistics.tree import UnitTree
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

TARGETS = ["target_id", "crop", "year", "unit_id", "level", "residual", "harvested_ha", "flag"]
MEMBERS = ["crop", "year", "target_id", "leaf_id"]
REFERENCE = ["unit_id", "crop", "year", "harvested_ha"]
AUDIT = ["unit_id", "crop", "year", "before_ha", "after_ha", "factor", "reason"]
SUM_TOLERANCE = 1e-9


def harmonise_statistics(
    *,
    nodes: str | Path,
    units: str | Path,
    leaves: str | Path | None,
    statistics: StatisticsSettings,
    targets_path: str | Path,
    members_path: str | Path,
    audit_path: str | Path,
    reference_path: str | Path,
) -> None:
    """Make the figures of all levels agree with the nation's (paper, Eq. 1-2, design.md).

    Parameters
    ----------
    nodes, units : tables of `average_statistics` and `read_statistics`.
    leaves : table with a column `leaf_id` (`grid/cells.parquet`), the lowest units that have cells;
        None = every unit without children is a leaf.
    statistics : uses `variable`, `use_levels`, `missing`, `direction`, `plain_eq2`, `unknown_top`,
        `rounding_tolerance`.
    targets_path, members_path, audit_path : outputs, see docs/allocation.md; hectares.
    reference_path : output, `unit_id, crop, year, harvested_ha`: the figures below `use_levels`,
        which no target rests on; empty where all levels are used.

    Raises InputError if a leaf is no lowest unit, or if a crop has no figure of the nation
    (`UnknownTopError`, all such crops in one message).
    """
    figures = read_table(nodes)
    figures = figures[figures["variable"] == statistics.variable]
    if figures.empty:
        raise InputError(
            f"no node value has the variable {statistics.variable!r}", given=f"table {nodes}"
        )
    figures, kept_aside = _withhold(figures, statistics.use_levels)
    if figures.empty:
        raise InputError(
            f"no figure is left to place: all lie below level {statistics.use_levels}",
            given=f"{len(kept_aside)} figures that are kept aside",
            remedy="give a source of the levels above, or raise `statistics.use_levels`",
        )
    tree = UnitTree(read_table(units), _leaf_ids(leaves))
    options = Options(
        missing=statistics.missing,
        direction=statistics.direction,
        plain_eq2=statistics.plain_eq2,
        unknown_top=statistics.unknown_top,
        rounding_tolerance=statistics.rounding_tolerance,
    )
    groups = list(figures.groupby(["crop", "year"], sort=True))
    results: list[tuple[str, int, Harmonised]] = []
    faults = []
    for (crop, year), group in progress(groups, what="harmonising", unit="crops and years"):
        values = dict(zip(group["unit_id"], group["value"].tolist(), strict=True))
        flags = dict(zip(group["unit_id"], group["flag"], strict=True))
        try:
            result = harmonise(tree, values, flags, options)
        except UnknownTopError as error:
            faults.append(f"{crop} {year}: {error.problem}")
            continue
        _check_sum(crop, year, result, tree)
        results.append((crop, year, result))
    if faults:
        raise UnknownTopError(
            f"{len(faults)} crop(s) and node(s) have no figure of the whole area",
            given="; ".join(faults[:6]) + ("; ..." if len(faults) > 6 else ""),
            remedy="give a source of the nation's figures, drop the node, or set "
            "`statistics.unknown_top: known_part` to place only what is known",
        )
    targets, members, audit = _tables(results, tree)
    _report(results, targets, audit)
    write_table(targets, targets_path)
    write_table(members, members_path)
    write_table(kept_aside, reference_path)
    with atomic_path(audit_path) as temporary:
        audit.to_csv(temporary, index=False, lineterminator="\n")


def _withhold(figures: pd.DataFrame, deepest: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The figures down to level `deepest`, and those below it as a table of reference."""
    below = figures["level"] > deepest if deepest is not None else figures["level"] < 0
    if deepest is not None:
        log.info("%d figures below level %d are kept aside", below.sum(), deepest)
        lost = set(figures[below]["crop"]) - set(figures[~below]["crop"])
        if lost:
            names = ", ".join(sorted(lost))
            log.warning("%s: figures below level %d alone; not mapped", names, deepest)
    kept_aside = figures[below].rename(columns={"value": "harvested_ha"})[REFERENCE]
    return figures[~below], kept_aside.sort_values(REFERENCE[:3], ignore_index=True)


def _leaf_ids(leaves: str | Path | None) -> list[str] | None:
    if leaves is None:
        return None
    column = read_table(leaves, columns=["leaf_id"])["leaf_id"]
    return sorted(set(column.dropna().astype(str)))


def _check_sum(crop: str, year: int, result: Harmonised, tree: UnitTree) -> None:
    total = sum(target.harvested_ha for target in result.targets)
    if abs(total - result.total_ha) > SUM_TOLERANCE * max(result.total_ha, 1e-300):
        raise RuntimeError(f"targets of {crop} {year} sum to {total}, not {result.total_ha}")
    members = [leaf for target in result.targets for leaf in target.leaves]
    expected = sum(len(tree.leaves[root]) for root in tree.roots) - len(result.unplaced_leaves)
    if len(members) != expected or len(set(members)) != expected:
        raise RuntimeError(f"targets of {crop} {year} do not partition the units")


def _tables(
    results: list[tuple[str, int, Harmonised]], tree: UnitTree
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    targets, members, audit = [], [], []
    for crop, year, result in results:
        for t in result.targets:
            level = tree.level[t.unit_id]
            targets.append(
                (t.target_id, crop, year, t.unit_id, level, t.residual, t.harvested_ha, t.flag)
            )
            members += [(crop, year, t.target_id, leaf) for leaf in t.leaves]
        audit += [
            (c.unit_id, crop, year, c.before_ha, c.after_ha, c.factor, c.reason)
            for c in result.changes
        ]
    order = ["year", "crop", "target_id"]
    return (
        pd.DataFrame(targets, columns=TARGETS).sort_values(order, ignore_index=True),
        pd.DataFrame(members, columns=MEMBERS).sort_values([*order, "leaf_id"], ignore_index=True),
        pd.DataFrame(audit, columns=AUDIT)
        .astype({"before_ha": "float64", "after_ha": "float64", "factor": "float64"})
        .sort_values(["year", "crop", "unit_id", "reason"], ignore_index=True),
    )


def _report(
    results: list[tuple[str, int, Harmonised]], targets: pd.DataFrame, audit: pd.DataFrame
) -> None:
    scaled = audit["factor"].dropna()
    scaled = scaled[scaled > 0]
    extent = f"{scaled.min():.6g} to {scaled.max():.6g}" if len(scaled) else "none"
    log.info(
        "%d targets (%d residuals, %d of them zero) of %d crops and years; %d changes, factors %s",
        len(targets), int(targets["residual"].sum()),
        int((targets["residual"] & (targets["harvested_ha"] == 0)).sum()),
        len(results), len(audit), extent,
    )  # fmt: skip
    for crop, year, result in results:
        if result.unplaced_leaves:
            log.warning(
                "%s %d: %d lowest units lie below no figure; the crop is placed in none of them",
                crop, year, len(result.unplaced_leaves),
            )  # fmt: skip
    large = audit[(audit["factor"] > 2) | ((audit["factor"] < 0.5) & (audit["factor"] > 0))]
    for row in large.head(20).itertuples():
        log.warning(
            "%s %d, unit %s: %.6g ha becomes %.6g ha (x %.3g); %s",
            row.crop, row.year, row.unit_id, row.before_ha, row.after_ha, row.factor, row.reason,
        )  # fmt: skip
    if len(large) > 20:
        log.warning("... and %d more factors beyond 0.5 to 2, see the audit", len(large) - 20)

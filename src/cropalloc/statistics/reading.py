"""Rule `read_statistics`: every source into one tidy long table in hectares."""

from __future__ import annotations

import logging
from pathlib import Path

from cropalloc.settings.statistics import Source, StatisticsSettings
from cropalloc.statistics.crops import Concordance, UnknownCropError, read_concordance
from cropalloc.statistics.doubles import merge_sources, resolve_doubles
from cropalloc.statistics.figures import read_source
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.joining import Joiner
from cropalloc.statistics.units import check_boundaries, read_units
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import write_table

log = logging.getLogger(__name__)

REPORTED = [
    "unit_id", "unit_name", "level", "parent_id", "year", "crop", "variable", "value",
    "unit_of_measure", "source", "flag",
]  # fmt: skip


def read_statistics(
    *,
    statistics: StatisticsSettings,
    crops_file: str | Path,
    units_path: str | Path,
    reported_path: str | Path,
    findings_path: str | Path,
) -> None:
    """Read units and figures, join and convert them, and list whatever was noticed.

    Parameters
    ----------
    statistics : section `statistics` of a case.
    crops_file : `config/crops.yaml`.
    units_path : output, a row a unit (`unit_id, name, level, parent_id`).
    reported_path : output, a row a figure: `value` in hectares, `unit_of_measure` the unit in which
        the source gave it, `flag` the source's own flag or `reported`; missing figures have no row.
    findings_path : output CSV (`file, row, unit_id, crop, finding, action`).

    Raises InputError for files, columns or figures that cannot be read, a unit of measure other
    than declared, and different figures of one thing (unless configured); UnknownCropError, with
    all names at once, for crops that the concordance does not know.
    """
    findings = Findings()
    concordance = read_concordance(crops_file)
    wanted = _wanted_crops(statistics, concordance)
    hierarchy = read_units(statistics.units, exclude=statistics.exclude_units, findings=findings)
    if statistics.boundaries is not None:
        check_boundaries(hierarchy, statistics.boundaries, findings)
    joiner = Joiner(hierarchy, aliases=statistics.aliases, suffixes=statistics.name_suffixes)
    unknown: dict[str, list[str]] = {}
    tables = []
    for source in progress(statistics.sources, what="reading statistics", unit="sources"):
        figures = read_source(
            source,
            concordance=concordance,
            joiner=joiner,
            wanted=wanted,
            refuse_unjoined=statistics.unjoined == "refuse",
            findings=findings,
            unknown=unknown,
        )
        tables.append(resolve_doubles(figures, source, concordance.vocabularies, findings))
    _refuse_unknown(unknown, statistics.sources, concordance)
    merged = merge_sources(tables, statistics.overlap, findings)
    if merged.empty:
        raise InputError(
            "the sources of statistics hold no figure of any crop and unit of the case",
            given="; ".join(source.name for source in statistics.sources),
            remedy="see the names that did not join, and the keys `crops`, `first_year`, `level`",
        )
    for crop in sorted((wanted or set()) - set(merged["crop"])):
        findings.add("no source has a figure of this crop", "it is not mapped", crop=crop)
    units = hierarchy.table
    merged = merged.merge(
        units.rename(columns={"name": "unit_name"}), on="unit_id", how="left", validate="m:1"
    )
    merged = merged.sort_values(
        ["variable", "crop", "year", "level", "unit_id"], ignore_index=True
    )[REPORTED]
    log.info(
        "%d figures of %d crops, %d of %d units, %d to %d; %d findings",
        len(merged), merged["crop"].nunique(), merged["unit_id"].nunique(), len(units),
        merged["year"].min(), merged["year"].max(), len(findings),
    )  # fmt: skip
    write_table(units, units_path)
    write_table(merged, reported_path)
    findings.write(findings_path)


def _wanted_crops(statistics: StatisticsSettings, concordance: Concordance) -> set[str] | None:
    if statistics.crops == "all":
        return None
    if statistics.crops == "paper":
        return set(concordance.paper_ids)
    unknown = [crop for crop in statistics.crops if crop not in concordance.crops]
    if unknown:
        raise UnknownCropError(
            "key `statistics.crops` names crops that are no ids of the concordance",
            given=concordance.describe(unknown),
            allowed=", ".join(concordance.crops),
        )
    return set(statistics.crops)


def _refuse_unknown(
    unknown: dict[str, list[str]], sources: list[Source], concordance: Concordance
) -> None:
    """One error for the unknown crop names of all sources."""
    if not unknown:
        return
    vocabulary = {source.name: source.vocabulary for source in sources}
    texts = [
        f"source {name!r}: {concordance.describe(names, vocabulary[name])}"
        for name, names in unknown.items()
    ]
    raise UnknownCropError(
        f"{sum(map(len, unknown.values()))} crop name(s) are not in {concordance.path}",
        given="; ".join(texts),
        remedy="correct the names, add them to that file, map them with the source's `crop_names`, "
        "or list them in its `left_out`",
    )

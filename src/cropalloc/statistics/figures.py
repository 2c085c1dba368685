"""Rows of one source -> figures in hectares of known units and crops."""

from __future__ import annotations

import glob
import math
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import Source
from cropalloc.statistics.crops import Concordance
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.joining import Joiner
from cropalloc.statistics.measures import HECTARES, Item, parse_item, parse_measure
from cropalloc.statistics.readers import READERS
from cropbase.errors import InputError

FIGURES = [
    "file", "row", "unit_id", "crop", "year", "variable", "value", "unit_of_measure", "source",
    "flag", "item",
]  # fmt: skip
_SHOWN = 8  # faulty cells named in one message
_FIRST_YEAR, _LAST_YEAR = 1700, 2200
_LAND_HA = 1.5e10


def read_source(
    source: Source,
    *,
    concordance: Concordance,
    joiner: Joiner,
    wanted: set[str] | None,
    refuse_unjoined: bool,
    findings: Findings,
    unknown: dict[str, list[str]],
) -> pd.DataFrame:
    """Figures of one source: a row each, columns `FIGURES`, `value` in hectares, none missing.

    Crop names that are unknown are added to `unknown` under the source's name. Raises InputError
    for a pattern without files, a unit of measure other than declared, a year or a figure that
    cannot be read, and (if `refuse_unjoined`) for names that join to no unit.
    """
    parts = []
    for path in _files(source):
        rows = READERS[source.kind](path, source, findings)
        parts.append(rows.assign(file=str(path)))
    rows = pd.concat(parts, ignore_index=True)
    rows = _keep_crops(rows, source, concordance, wanted, findings, unknown)
    _check_measures(rows, source)
    rows = _parse_years(rows, source)
    rows = _join_units(rows, source, joiner, refuse_unjoined, findings)
    rows = _parse_values(rows, source, findings)
    rows["value"] = rows["value"] * HECTARES[source.unit_of_measure]
    rows["flag"] = [flag if flag else "reported" for flag in rows["flag"]]
    rows = rows.assign(
        variable=source.variable, unit_of_measure=source.unit_of_measure, source=source.name
    )
    return rows[FIGURES].reset_index(drop=True)


def _files(source: Source) -> list[Path]:
    files: list[Path] = []
    for text in source.paths:
        if glob.has_magic(text) and not Path(text).exists():
            found = [Path(name) for name in sorted(glob.glob(text, recursive=True))]
            if not found:
                raise InputError(
                    f"source {source.name!r}: no file fits the pattern {text}",
                    remedy="check `paths` and `data_root`",
                )
            files += found
        else:
            files.append(Path(text))
    return files


def _keep_crops(
    rows: pd.DataFrame,
    source: Source,
    concordance: Concordance,
    wanted: set[str] | None,
    findings: Findings,
    unknown: dict[str, list[str]],
) -> pd.DataFrame:
    """Rows of the crops of the case, with the columns crop and item_measure; the rest is listed."""
    crops: dict[str, str | None] = {}
    items: dict[str, Item] = {}
    first = rows.drop_duplicates("item").set_index("item")[["file", "row"]]
    for text in first.index:
        item = items[text] = parse_item(text)
        crops[text], reason = _crop_of(text, item, source, concordance)
        if reason == "unknown":
            unknown.setdefault(source.name, []).append(item.name)
        elif crops[text] is not None and wanted is not None and crops[text] not in wanted:
            reason = "not among the crops of the case"
            crops[text] = None
        if reason and reason != "unknown":
            findings.add(
                f"item {text!r}: {reason}",
                "left out",
                file=str(first.at[text, "file"]),
                row=int(first.at[text, "row"]),
                crop=item.name,
            )
    rows = rows.assign(
        crop=rows["item"].map(crops), item_measure=[items[t].measure for t in rows["item"]]
    )
    return rows[rows["crop"].notna()]


def _crop_of(
    text: str, item: Item, source: Source, concordance: Concordance
) -> tuple[str | None, str]:
    for name in (text, item.name):
        if name in source.crop_names:
            return concordance.find(source.crop_names[name]), ""
    if any(fnmatchcase(n, pattern) for pattern in source.left_out for n in (text, item.name)):
        return None, "left out by the configuration"
    if source.item_contains is not None and source.item_contains not in text:
        return None, f"without {source.item_contains!r}"
    if not item.is_area:
        return None, "not an area"
    crop = concordance.try_find(item.name, source.vocabulary) or concordance.try_find(
        text, source.vocabulary
    )
    if crop is not None:
        return crop, ""
    if concordance.is_left_out(item.name, source.vocabulary):
        return None, "a total over crops, or a part of one"
    return None, "unknown"


def _check_measures(rows: pd.DataFrame, source: Source) -> None:
    """Refuse units of measure other than the declared one, wherever the file names one."""
    stated = rows["measure"].where(rows["measure"].notna(), None)
    parsed = {text: parse_measure(text) for text in set(stated.dropna())}
    faults = []
    for kind, found in (
        ("measure", stated.map(lambda t: None if t is None else (parsed[t] or f"{t!r}"))),
        ("item", rows["item_measure"]),
    ):
        other = rows[found.notna() & (found != source.unit_of_measure)]
        texts = found[other.index]
        for text, group in other.groupby(texts):
            place = group.iloc[0]
            where = f" (item {place['item']!r})" if kind == "item" else ""
            faults.append(
                f"{text} in {place['file']}, row {place['row']}{where}, {len(group)} figures"
            )
    if faults:
        mixed = len(faults) > 1 or len(rows) > sum(
            int(f.rsplit(", ", 1)[1].split()[0]) for f in faults
        )
        raise InputError(
            f"source {source.name!r} declares unit_of_measure: {source.unit_of_measure}, but its "
            f"files {'mix it with other units' if mixed else 'say otherwise'}",
            given="; ".join(faults),
            allowed=", ".join(HECTARES),
            remedy="declare the unit of the file; make a source of each unit (`paths`, "
            "`item_contains`, `left_out`) where units are mixed",
        )


def _parse_years(rows: pd.DataFrame, source: Source) -> pd.DataFrame:
    years: dict[str, int] = {}
    for text in rows["year"].unique():
        found = re.fullmatch(r"([0-9]{4})(\.0*)?\s*年?", str(text).strip())
        if not found or not _FIRST_YEAR <= int(found.group(1)) <= _LAST_YEAR:
            row = rows[rows["year"] == text].iloc[0]
            raise InputError(
                f"statistics file {row['file']}, row {row['row']}: no year",
                given=text,
                allowed=f"four digits, e.g. 2020, from {_FIRST_YEAR} to {_LAST_YEAR}",
            )
        years[text] = int(found.group(1))
    rows = rows.assign(year=rows["year"].map(years))
    keep = pd.Series(True, index=rows.index)
    if source.first_year is not None:
        keep &= rows["year"] >= source.first_year
    if source.last_year is not None:
        keep &= rows["year"] <= source.last_year
    return rows[keep]


def _join_units(
    rows: pd.DataFrame, source: Source, joiner: Joiner, refuse: bool, findings: Findings
) -> pd.DataFrame:
    missing = set(source.missing_values)
    has_figure = ~rows["text"].isin(missing)
    keys = ["unit", "within", "level"]
    ids = pd.Series(None, index=rows.index, dtype=object)
    lost = []
    for (unit, within, level), group in rows.groupby(keys, dropna=False, sort=False):
        place = group.iloc[0]
        number = _level(level, source, place)
        within = within if isinstance(within, str) and within else None
        join = joiner.join(unit, number, within)
        if join.unit_id is not None:
            ids[group.index] = join.unit_id
            if join.how:
                findings.add(
                    f"{unit!r} is joined to {joiner.name[join.unit_id]!r} {join.how}",
                    "read as that unit",
                    file=place["file"],
                    row=place["row"],
                    unit_id=join.unit_id,
                )
            continue
        near = f" ({', '.join(join.candidates)})" if join.candidates else ""
        at = "" if number is None else f" of level {number}"
        text = (
            f"{unit!r} fits several units{at}{near}"
            if join.how == "ambiguous"
            else f"{unit!r} joins to no unit{at}" + (f"; near:{near}" if near else "")
        )
        count = int(has_figure[group.index].sum())
        lost.append(f"{place['file']}, row {place['row']}: {text}")
        findings.add(
            text, f"left out with {count} figures", file=place["file"], row=place["row"], loud=True
        )
    if lost and refuse:
        raise InputError(
            f"source {source.name!r}: {len(lost)} name(s) join to no unit",
            given="; ".join(lost[:_SHOWN]) + ("; ..." if len(lost) > _SHOWN else ""),
            remedy="add them to `statistics.aliases`, or set `unjoined: report`",
        )
    return rows.assign(unit_id=ids)[ids.notna()]


def _level(text: object, source: Source, place: pd.Series) -> int | None:
    if text is None or text != text or text == "":
        return source.level
    try:
        return int(float(str(text)))
    except ValueError:
        raise InputError(
            f"statistics file {place['file']}, row {place['row']}: no level",
            given=text,
            allowed="0, 1, 2, ...",
        ) from None


def _number(text: str) -> float | None:
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?", text):
        text = text.replace(",", "")
    # Narrower than float(), which also takes 1_234 and the digits of other scripts.
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _parse_values(rows: pd.DataFrame, source: Source, findings: Findings) -> pd.DataFrame:
    missing = set(source.missing_values)
    absent = rows["text"].isin(missing)
    for crop, group in rows.assign(absent=absent).groupby("crop", sort=True):
        count = int(group["absent"].sum())
        if count:
            place = group[group["absent"]].iloc[0]
            findings.add(
                f"{count} of {len(group)} figures are missing (first: unit {place['unit']!r}, "
                f"{place['year']})",
                "no figure there",
                file=f"source {source.name}",
                crop=crop,
            )
    rows = rows[~absent]
    values = [_number(text) for text in rows["text"]]
    most = _LAND_HA / HECTARES[source.unit_of_measure]
    faulty = [i for i, value in enumerate(values) if value is None or not 0 <= value <= most]
    if faulty:
        shown = []
        for index in faulty[:_SHOWN]:
            row = rows.iloc[index]
            shown.append(
                f"{row['file']}, row {row['row']}, unit {row['unit']!r}, crop {row['crop']}, "
                f"{row['year']}: {row['text']!r}"
            )
        raise InputError(
            f"source {source.name!r}: {len(faulty)} figure(s) are no area",
            given="; ".join(shown) + ("; ..." if len(faulty) > _SHOWN else ""),
            allowed=f"a number from 0 on, not larger than {most:.3g} {source.unit_of_measure} (all "
            "land of the earth), or one of `missing_values`",
            remedy="correct the file, or add the text to the source's `missing_values`",
        )
    return rows.assign(value=pd.array(values, dtype="float64"))

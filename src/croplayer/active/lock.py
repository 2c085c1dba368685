"""`labels.lock`: the only road by which labels reach training.

The lock names the content of every label file, not its bytes: a GeoPackage changes bytes when it
is merely opened, and a table when an editor rewrites its line ends. The workflow depends on the
lock, so that only an edit that changes a label reruns what was learned from it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from cropbase.atomic import write_json
from croplayer.active.findings import LabelError, LabelFileError
from croplayer.active.readers import FEATURE, label_files, read_vector

LabelPaths = Path | Sequence[Path]
"""A label file, a folder of them, or the files of a folder."""

FORMAT = 2
REMEDY = "run the workflow again, which locks the labels anew, or put the old files back"
_TEXT = (".csv", ".tsv", ".txt", ".json", ".yaml", ".yml")


class LabelLockError(LabelError):
    """The labels are not those of the lock, or the lock itself is damaged or edited."""


def lock_labels(*, files: Mapping[str, LabelPaths], output: Path) -> dict[str, Any]:
    """Write the lock of a run: sha256 of the content and counts of each label file.

    Parameters
    ----------
    files : label files (or folders, or lists of files) by key (`cropland`, `extents`).
    output : the lock, JSON: `format`, `files` (by key, sorted: name, kind, sha256, counts) and
        `sha256` of all this together. No path, no time and no round: the same labels give the same
        bytes on every machine, and a round that only gets a number trains nothing.

    Returns what was written. Raises LabelFileError naming every label file that is absent.
    """
    require_files(files)
    content = signed({"files": {key: describe_labels(files[key], key) for key in sorted(files)}})
    write_json(output, content)
    return content


def require_files(files: Mapping[str, LabelPaths]) -> None:
    """Raise one LabelFileError naming every label file that is absent."""
    missing = [
        f"labels.{key}: {path}"
        for key, paths in files.items()
        for path in _listed(paths)
        if not path.exists()
    ]
    if missing:
        raise LabelFileError(
            f"{len(missing)} label file(s) do not exist\n  " + "\n  ".join(missing),
            remedy="check these paths in the configuration, put the files back, or set the keys to"
            " null where there is nothing yet",
        )


def signed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a lock with its format first and its own checksum last."""
    whole = {"format": FORMAT, **content}
    return whole | {"sha256": _digest_of_lock(whole)}


def read_lock(path: Path, *, remedy: str = REMEDY) -> dict[str, Any]:
    """Read a lock. Raises LabelLockError if it is absent, damaged, or was edited by hand."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabelLockError(f"label lock {path} does not exist", remedy=remedy) from None
    except (OSError, ValueError) as error:
        raise LabelLockError(
            f"label lock {path} cannot be read", given=error, remedy=remedy
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        given = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise LabelLockError(
            f"label lock {path} is of another format", given=given, allowed=FORMAT, remedy=remedy
        )
    if content.get("sha256") != _digest_of_lock(content):
        raise LabelLockError(
            f"label lock {path} was edited by hand: its own checksum does not fit", remedy=remedy
        )
    return content


def verify_lock(
    *, lock: Path, files: Mapping[str, LabelPaths], remedy: str = REMEDY
) -> dict[str, Any]:
    """Check that the label files are still those of the lock; returns the lock.

    Raises LabelLockError naming every file that changed, came or went since.
    """
    content = read_lock(lock, remedy=remedy)
    locked = content["files"]
    faults = []
    for key in sorted(set(locked) | set(files)):
        if key not in files:
            faults.append(f"labels.{key}: locked, but no longer configured")
            continue
        name = ", ".join(map(str, _listed(files[key])))
        if key not in locked:
            faults.append(f"labels.{key}: {name} is not in the lock")
        elif not all(path.exists() for path in _listed(files[key])):
            faults.append(f"labels.{key}: {name} does not exist any more")
        else:
            now = describe_labels(files[key], key)
            if now["sha256"] != locked[key]["sha256"]:
                faults.append(
                    f"labels.{key}: {name} changed since"
                    f" ({counts_text(locked[key])} then, {counts_text(now)} now)"
                )
    if faults:
        raise LabelLockError(
            f"the labels are not those of {lock}\n  " + "\n  ".join(faults), remedy=remedy
        )
    return content


def describe_labels(paths: LabelPaths, key: str) -> dict[str, Any]:
    """Name, kind, sha256 of the content and counts of the label file, folder or files of a key."""
    listed = _listed(paths)
    folder = len(listed) == 1 and listed[0].is_dir()
    files = label_files(listed[0]) if folder else listed
    entries = [describe_file(path, key) for path in files]
    if len(entries) == 1:
        return entries[0]
    counts: dict[str, int] = {}
    for entry in entries:
        for name, number in entry["counts"].items():
            counts[name] = counts.get(name, 0) + number
    parts = sorted(entry["sha256"].encode() for entry in entries)
    return _entry(files[0].parent, entries[0]["kind"], parts, counts)


def describe_file(path: Path, key: str) -> dict[str, Any]:
    """Name, kind, sha256 of the content and counts of one label file."""
    if path.suffix.lower() in _TEXT:
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
        if path.suffix.lower() in (".csv", ".tsv"):
            counts = {"rows": max(sum(1 for line in text.split(b"\n") if line.strip()) - 1, 0)}
            return _entry(path, "table", [text], counts)
        if not _is_geojson(text):
            return _entry(path, "text", [text], {"bytes": len(text)})
    if path.suffix.lower() == ".parquet" and not _is_geoparquet(path):
        table = pd.read_parquet(path)
        return _entry(path, "table", sorted(_rows(table)), {"rows": len(table)})
    frame = read_vector(path, key)
    counts = {"features": len(frame)}
    if "split" in frame.columns:
        split = frame["split"].astype("object").where(frame["split"].notna(), "").map(str)
        counts |= {name: int(n) for name, n in sorted(split.value_counts().items()) if name}
    return _entry(path, "vector", features_content(frame), counts)


def _listed(paths: LabelPaths) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def features_content(frame: gpd.GeoDataFrame) -> list[bytes]:
    """The content of a layer, independent of format, order and numbers of its features.

    The first item is the CRS; then what `feature_contents` gives, sorted.
    """
    crs = frame.crs.to_epsg() if frame.crs is not None else None
    name = f"EPSG:{crs}" if crs else (frame.crs.to_wkt() if frame.crs is not None else "none")
    return [name.encode(), *sorted(feature_contents(frame))]


def feature_contents(frame: gpd.GeoDataFrame) -> list[bytes]:
    """The content of each feature, in order: its geometry normalised (ring directions and starting
    points do not count) as little-endian WKB, and its attributes by name."""
    shapes = shapely.normalize(frame.geometry.to_numpy())
    wkb = shapely.to_wkb(shapes, byte_order=1, output_dimension=2)
    attributes = _rows(frame.drop(columns=["geometry", FEATURE]))
    return [(w or b"") + b"|" + a for w, a in zip(wkb, attributes, strict=True)]


def _rows(table: pd.DataFrame) -> list[bytes]:
    """Each row as JSON with sorted keys."""
    columns = sorted(str(column) for column in table.columns)
    values = [[_plain(value) for value in table[column].tolist()] for column in columns]
    return [
        json.dumps(
            dict(zip(columns, row, strict=True)), sort_keys=True, ensure_ascii=False
        ).encode()
        for row in (zip(*values, strict=True) if columns else [()] * len(table))
    ]


def _plain(value: Any) -> Any:
    """A cell as JSON knows it. Whole floats become integers: a null in a column makes it float."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        if math.isnan(value):
            return None
        return int(value) if float(value).is_integer() else float(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    return value if isinstance(value, str) else str(value)


def _entry(path: Path, kind: str, parts: list[bytes], counts: dict[str, int]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for part in parts:
        # The length keeps "ab" + "c" apart from "a" + "bc".
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return {"name": path.name, "kind": kind, "sha256": digest.hexdigest(), "counts": counts}


def _digest_of_lock(content: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def counts_text(entry: Mapping[str, Any]) -> str:
    """The counts of an entry for people: `12 features, 8 train`."""
    return ", ".join(f"{value} {name}" for name, value in entry["counts"].items())


def _is_geojson(text: bytes) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("type") in ("FeatureCollection", "Feature")


def _is_geoparquet(path: Path) -> bool:
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, ValueError) as error:
        raise LabelFileError(f"label file {path} cannot be read", given=error) from None
    return b"geo" in metadata

"""Copies of label files that nobody can edit by accident."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from croplayer.active.readers import label_files

_SHAPEFILE = (".shp", ".dbf", ".shx", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".shp.xml")


def copy_labels(path: Path, folder: Path) -> Path:
    """Copy a label file, or the label files of a folder, into `folder`, read-only.

    A shapefile brings the files that belong to it. A GeoPackage is copied through SQLite: one that
    is open in QGIS keeps its newest edits in a second file, which a copy of the first would lose.

    Returns the copy: a file, or `folder` for a folder.
    """
    folder.mkdir(parents=True)
    for file in label_files(path):
        if file.suffix.lower() == ".gpkg":
            _copy_database(file, folder / file.name)
            continue
        for part in _family(file):
            shutil.copyfile(part, folder / part.name)
    for copy in folder.iterdir():
        copy.chmod(0o444)
    return folder if Path(path).is_dir() else folder / Path(path).name


def _family(file: Path) -> list[Path]:
    if file.suffix.lower() != ".shp":
        return [file]
    stem = file.name[: -len(".shp")]
    return sorted(
        other
        for other in file.parent.iterdir()
        if other.name.startswith(stem) and other.name[len(stem) :].lower() in _SHAPEFILE
    )


def _copy_database(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        # Read-only files cannot be opened in the mode with a second file.
        new.execute("PRAGMA journal_mode=DELETE")

"""The tile file of one shard: MBTiles with a ledger of every tile.

While work goes on it is `<output>.partial`, a write-ahead-logged database committed in batches, so
that a killed run goes on where it stopped; when every tile is settled it is written anew, sorted,
as one plain file. Other readers (GDAL, QGIS) see an ordinary MBTiles file: `tiles` is a view of
`map` and `images`, in which equal images are kept once. Rows of `map` count from the south, as
MBTiles demands; rows `y` of `ledger` count from the north, as tile services do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cropbase.disk import disk_full, free_space
from croplayer.tiles.errors import TileStoreError

STORED, ABSENT, REJECTED, PENDING = "stored", "absent", "rejected", "pending"
APPLICATION_ID = 0x4D504258
"""MPBX: MBTiles, as registered with SQLite."""

PAGE_BYTES = 65536
"""Of the database. Images of 5 to 20 kB then lie in a page instead of a chain of small ones: both
writing and copying them take half the time, and the file grows by a fiftieth."""

_SCHEMA = """
CREATE TABLE {schema}.metadata (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE {schema}.images (tile_id TEXT NOT NULL UNIQUE, tile_data BLOB NOT NULL);
CREATE TABLE {schema}.map (
    zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_id TEXT NOT NULL,
    PRIMARY KEY (zoom_level, tile_column, tile_row)
) WITHOUT ROWID;
CREATE VIEW {schema}.tiles AS
    SELECT map.zoom_level AS zoom_level, map.tile_column AS tile_column,
        map.tile_row AS tile_row, images.tile_data AS tile_data
    FROM map JOIN images ON images.tile_id = map.tile_id;
CREATE TABLE {schema}.ledger (
    z INTEGER, x INTEGER, y INTEGER, status TEXT NOT NULL, reason TEXT, format TEXT,
    sha256 TEXT, bytes INTEGER, attempts INTEGER NOT NULL, fetched_at TEXT, etag TEXT,
    last_modified TEXT,
    PRIMARY KEY (z, y, x)
) WITHOUT ROWID;
"""
COLUMNS = (
    "z, x, y, status, reason, format, sha256, bytes, attempts, fetched_at, etag, last_modified"
)


@dataclass(frozen=True)
class TileRecord:
    """What happened to one tile. `data` is None where there is no image, or an unchanged one."""

    x: int
    y: int
    status: str
    attempts: int
    fetched_at: str
    reason: str | None = None
    format: str | None = None
    sha256: str | None = None
    data: bytes | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class PendingTile:
    """A tile still to ask for, with what a conditional request needs if it is held already."""

    x: int
    y: int
    etag: str | None = None
    last_modified: str | None = None


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's complaints about `path` into a TileStoreError, or a DiskFullError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text:
            raise disk_full(path, error) from None
        if "locked" in text or "busy" in text:
            remedy = "another run is writing it: wait for that run, or end it"
        elif "disk I/O" in text:
            text += f"; {free_space(path)}"
            remedy = "free disk space if there is little, and run again: what was fetched is kept"
        else:
            remedy = "check that the folder can be written, or delete the file to begin anew"
        raise TileStoreError(
            f"tile file {path} cannot be used", given=text, remedy=remedy
        ) from None
    except sqlite3.DatabaseError as error:
        raise TileStoreError(
            f"tile file {path} is damaged",
            given=error,
            remedy="delete it and run again: its tiles are then fetched anew",
        ) from None


def create_schema(connection: sqlite3.Connection, schema: str) -> None:
    """Create the tables of a tile file in `schema` (main, or the name of an attached file)."""
    for statement in _SCHEMA.format(schema=schema).split(";"):
        if statement.strip():
            connection.execute(statement)


class TileReader:
    """Tiles of a finished MBTiles file, ours or another's, read only. Use as a context manager."""

    def __init__(self, path: Path, zoom: int) -> None:
        if not path.is_file():
            raise TileStoreError(
                f"tile file {path} does not exist",
                remedy="check the path of the source; tiles that the workflow fetches: "
                "`snakemake --forcerun fetch_tiles`",
            )
        self.path = path
        self.zoom = zoom
        with store_errors(path):
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            names = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master")}
            self.has_ledger = "ledger" in names
        if "tiles" not in names:
            self._connection.close()
            raise TileStoreError(
                f"{path} is no MBTiles file: it has no table of tiles",
                given=", ".join(sorted(names)) or "no table at all",
                allowed="an MBTiles file of raster tiles",
                remedy="check the path; an empty or damaged file: copy it anew",
            )

    def __enter__(self) -> TileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def read(self, x: int, y: int) -> bytes | None:
        """The image of a tile (`y` from the north), or None if the file has none."""
        with store_errors(self.path):
            row = self._connection.execute(
                "SELECT tile_data FROM tiles "
                "WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                (self.zoom, x, (1 << self.zoom) - 1 - y),
            ).fetchone()
        return row[0] if row else None

    def zooms(self) -> list[int]:
        """Zoom levels that have tiles."""
        with store_errors(self.path):
            return [
                row[0]
                for row in self._connection.execute(
                    "SELECT DISTINCT zoom_level FROM tiles ORDER BY zoom_level"
                )
            ]

    def settled(self) -> set[tuple[int, int]]:
        """(x, y) of the tiles of the ledger that are stored or known to be absent."""
        with store_errors(self.path):
            return set(
                self._connection.execute(
                    "SELECT x, y FROM ledger WHERE z = ? AND status IN ('stored', 'absent')",
                    (self.zoom,),
                )
            )

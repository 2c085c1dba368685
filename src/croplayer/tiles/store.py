"""The tile file of a shard while it is being fetched, and how it becomes the finished file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cropbase.atomic import atomic_path
from croplayer.tiles.ledger import (
    ABSENT,
    APPLICATION_ID,
    COLUMNS,
    PAGE_BYTES,
    STORED,
    PendingTile,
    TileRecord,
    create_schema,
    store_errors,
)


class PartialStore:
    """The tile file of a shard while it is being fetched. Use as a context manager.

    Parameters
    ----------
    path : the `.partial` file; made if absent.
    zoom : zoom level of all its tiles.
    fingerprint : of the settings that decide what a tile is; a file with another one is emptied.
    """

    def __init__(self, path: Path, zoom: int, fingerprint: str) -> None:
        self.path = path
        self.zoom = zoom
        self.discarded = False
        path.parent.mkdir(parents=True, exist_ok=True)
        with store_errors(path):
            self._connection = sqlite3.connect(
                path.absolute().as_uri(),
                timeout=2,
                isolation_level=None,
                uri=True,
                # Batches are recorded by a thread of their own, while nothing else is asked.
                check_same_thread=False,
            )
            try:
                self._connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
                # Exclusive: no shared memory (network file systems), and a second run is refused.
                self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._prepare(fingerprint)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> PartialStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _prepare(self, fingerprint: str) -> None:
        connection = self._connection
        connection.execute("BEGIN EXCLUSIVE")
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone()
        if known:
            row = connection.execute(
                "SELECT value FROM metadata WHERE name = 'fingerprint'"
            ).fetchone()
            if row is None or row[0] != fingerprint:
                self.discarded = True
                for table in ("ledger", "map", "images", "metadata"):
                    connection.execute(f"DELETE FROM {table}")
        else:
            create_schema(connection, "main")
        connection.execute(
            "INSERT OR REPLACE INTO metadata VALUES ('fingerprint', ?)", (fingerprint,)
        )
        connection.execute("COMMIT")

    # ------------------------------------------------------------------ what is to be done
    def adopt(self, finished: Path) -> bool:
        """Take over the tiles of a finished file; False, and none, if its fingerprint differs."""
        with store_errors(finished):
            uri = f"{finished.absolute().as_uri()}?mode=ro"
            self._connection.execute("ATTACH ? AS finished", (uri,))
            try:
                same = self._connection.execute(
                    "SELECT 1 FROM finished.metadata JOIN main.metadata USING (name, value) "
                    "WHERE name = 'fingerprint'"
                ).fetchone()
                if same:
                    self._connection.execute("BEGIN")
                    for table in ("images", "map", "ledger"):
                        self._connection.execute(
                            f"INSERT OR IGNORE INTO main.{table} SELECT * FROM finished.{table}"
                        )
                    self._connection.execute("COMMIT")
            finally:
                self._connection.execute("DETACH finished")
        return same is not None

    def plan(self, xs: np.ndarray, ys: np.ndarray) -> None:
        """Make the ledger hold exactly these tiles; new ones and rejected ones become pending."""
        with store_errors(self.path):
            run = self._connection.execute
            run("BEGIN")
            run("CREATE TEMP TABLE wanted (y INTEGER, x INTEGER, PRIMARY KEY (y, x)) WITHOUT ROWID")
            self._connection.executemany(
                "INSERT INTO wanted VALUES (?, ?)", zip(ys.tolist(), xs.tolist(), strict=True)
            )
            run("DELETE FROM ledger WHERE (y, x) NOT IN (SELECT y, x FROM wanted)")
            run(
                "DELETE FROM map WHERE (?1 - 1 - tile_row, tile_column) "
                "NOT IN (SELECT y, x FROM wanted)",
                (1 << self.zoom,),
            )
            run(
                "INSERT OR IGNORE INTO ledger (z, x, y, status, attempts) "
                "SELECT ?, x, y, 'pending', 0 FROM wanted",
                (self.zoom,),
            )
            run("UPDATE ledger SET status = 'pending' WHERE status = 'rejected'")
            run("DROP TABLE temp.wanted")
            run("COMMIT")

    def forget_placeholders(self, digests: Iterable[str]) -> int:
        """Record stored tiles that are now known as placeholders as absent; returns how many."""
        count = 0
        with store_errors(self.path):
            self._connection.execute("BEGIN")
            for digest in digests:
                count += self._connection.execute(
                    "UPDATE ledger SET status = 'absent', reason = 'placeholder', format = NULL, "
                    "bytes = NULL WHERE sha256 = ? AND status = 'stored'",
                    (digest,),
                ).rowcount
                self._connection.execute("DELETE FROM map WHERE tile_id = ?", (digest,))
                self._connection.execute("DELETE FROM images WHERE tile_id = ?", (digest,))
            self._connection.execute("COMMIT")
        return count

    def reopen(self) -> None:
        """Make every settled tile pending again, keeping its image and validators."""
        with store_errors(self.path):
            self._connection.execute("UPDATE ledger SET status = 'pending'")

    def pending(self) -> list[PendingTile]:
        """Tiles to ask for, from north to south and west to east."""
        # The image must be there for "not modified" to be an answer.
        rows = self._connection.execute(
            "SELECT ledger.x, ledger.y, map.tile_id, etag, last_modified FROM ledger "
            "LEFT JOIN map ON zoom_level = z AND tile_column = x AND tile_row = ? - 1 - y "
            "WHERE status = 'pending' ORDER BY y, x",
            (1 << self.zoom,),
        )
        return [
            PendingTile(x, y, etag, modified) if held else PendingTile(x, y)
            for x, y, held, etag, modified in rows
        ]

    def counts(self) -> Counter[str]:
        """Number of tiles a status."""
        return Counter(
            dict(self._connection.execute("SELECT status, count(*) FROM ledger GROUP BY status"))
        )

    def rejected(self, limit: int) -> list[tuple[int, int, str]]:
        """The first rejected tiles as (x, y, reason)."""
        return self._connection.execute(
            "SELECT x, y, reason FROM ledger WHERE status = 'rejected' ORDER BY y, x LIMIT ?",
            (limit,),
        ).fetchall()

    def rejection_reasons(self) -> list[tuple[str, int]]:
        """Reasons of rejected tiles with their number, the most frequent first."""
        return self._connection.execute(
            "SELECT reason, count(*) FROM ledger WHERE status = 'rejected' "
            "GROUP BY reason ORDER BY count(*) DESC, reason"
        ).fetchall()

    # ------------------------------------------------------------------ what was done
    def record(self, records: list[TileRecord]) -> None:
        """Commit a batch. Attempts add up over runs."""
        if not records:
            return
        with store_errors(self.path):
            self._connection.execute("BEGIN")
            try:
                self._record_images(
                    [r for r in records if r.status == STORED and r.data is not None]
                )
                self._record_outcomes(records)
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _record_images(self, records: list[TileRecord]) -> None:
        flip = (1 << self.zoom) - 1
        self._connection.executemany(
            "INSERT OR IGNORE INTO images VALUES (?, ?)", ((r.sha256, r.data) for r in records)
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO map VALUES (?, ?, ?, ?)",
            ((self.zoom, r.x, flip - r.y, r.sha256) for r in records),
        )

    def _record_outcomes(self, records: list[TileRecord]) -> None:
        flip = (1 << self.zoom) - 1
        here = "WHERE z = ? AND x = ? AND y = ?"
        unchanged = [r for r in records if r.status == STORED and r.data is None]
        self._connection.executemany(
            "UPDATE ledger SET status = 'stored', attempts = attempts + ?, fetched_at = ? " + here,
            ((r.attempts, r.fetched_at, self.zoom, r.x, r.y) for r in unchanged),
        )
        self._connection.executemany(
            "DELETE FROM map WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
            ((self.zoom, r.x, flip - r.y) for r in records if r.status == ABSENT),
        )
        self._connection.executemany(
            "UPDATE ledger SET status = ?, reason = ?, format = ?, sha256 = ?, bytes = ?, "
            "attempts = attempts + ?, fetched_at = ?, etag = ?, last_modified = ? " + here,
            (
                (
                    r.status,
                    r.reason,
                    r.format,
                    r.sha256,
                    None if r.data is None else len(r.data),
                    r.attempts,
                    r.fetched_at,
                    r.etag,
                    r.last_modified,
                    self.zoom,
                    r.x,
                    r.y,
                )
                for r in records
                if r.status != STORED or r.data is not None
            ),
        )

    # ------------------------------------------------------------------ the end
    def finish(self, output: Path, metadata: dict[str, str]) -> None:
        """Write the finished file, sorted from north to south, under its final name.

        `metadata` is that of the MBTiles specification; format and fingerprint are added here.
        """
        with store_errors(self.path), atomic_path(output) as temporary:
            self._connection.execute("ATTACH ? AS done", (str(temporary),))
            try:
                run = self._connection.execute
                run(f"PRAGMA done.page_size={PAGE_BYTES}")
                run("PRAGMA done.journal_mode=OFF")
                run("PRAGMA done.synchronous=OFF")
                run(f"PRAGMA done.application_id={APPLICATION_ID}")
                run("BEGIN")
                create_schema(self._connection, "done")
                run(
                    "INSERT INTO done.images SELECT i.tile_id, i.tile_data FROM "
                    "(SELECT tile_id, min((?1 - tile_row) * ?1 + tile_column) AS place "
                    "FROM main.map GROUP BY tile_id) AS m JOIN main.images AS i USING (tile_id) "
                    "ORDER BY m.place",
                    (1 << self.zoom,),
                )
                run("INSERT INTO done.map SELECT * FROM main.map ORDER BY 1, 2, 3")
                run(f"INSERT INTO done.ledger SELECT {COLUMNS} FROM main.ledger ORDER BY z, y, x")
                row = run("SELECT value FROM main.metadata WHERE name = 'fingerprint'").fetchone()
                entries = {**metadata, "format": self._format(), "fingerprint": row[0]}
                self._connection.executemany(
                    "INSERT INTO done.metadata VALUES (?, ?)", sorted(entries.items())
                )
                run("COMMIT")
                run("PRAGMA done.journal_mode=DELETE")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._connection.execute("DETACH done")

    def _format(self) -> str:
        """The commonest format, in the words of the MBTiles specification."""
        row = self._connection.execute(
            "SELECT format FROM ledger WHERE status = 'stored' "
            "GROUP BY format ORDER BY count(*) DESC, format LIMIT 1"
        ).fetchone()
        return {"jpeg": "jpg"}.get(row[0], row[0]) if row else "png"

    def remove(self) -> None:
        """Close and delete the partial file."""
        self._connection.close()
        for suffix in ("-wal", "-shm", ""):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

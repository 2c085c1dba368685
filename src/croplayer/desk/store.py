"""The answers: an SQLite log to which rows are only ever added.

An answer, a skip and an undo are each one inserted row, written through to the disk before the
browser hears of it (WAL, synchronous=FULL). Whoever kills the server loses nothing that was
acknowledged; whoever sends the same request twice adds one row. Triggers refuse any change of a
row that is there.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cropbase.errors import InputError

FORMAT = "1"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    annotator TEXT NOT NULL,
    task TEXT NOT NULL,
    block_id TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('answer', 'skip', 'undo')),
    value TEXT NOT NULL,
    note TEXT NOT NULL,
    label_round INTEGER NOT NULL,
    undoes INTEGER UNIQUE REFERENCES events (id)
);
CREATE INDEX IF NOT EXISTS events_by_annotator ON events (task, annotator, id);
CREATE INDEX IF NOT EXISTS events_by_task ON events (task, id);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_last BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE VIEW IF NOT EXISTS standing AS
    SELECT * FROM events WHERE id IN (
        SELECT max(id) FROM events
        WHERE action != 'undo'
          AND id NOT IN (SELECT undoes FROM events WHERE undoes IS NOT NULL)
        GROUP BY task, annotator, block_id, source
    );
CREATE TABLE IF NOT EXISTS claims (
    task TEXT NOT NULL, block_id TEXT NOT NULL, annotator TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (task, block_id, annotator)
);
"""
_COLUMNS = "id, at, annotator, task, block_id, source, action, value, note, label_round"


@dataclass(frozen=True)
class Event:
    """An answer or a skip. `at`: ISO 8601, UTC. `source`: "" where the block is asked for once."""

    id: int
    at: str
    annotator: str
    task: str
    block_id: str
    source: str
    action: str
    value: str
    note: str
    label_round: int


class Store:
    """The database of one province's desk; one connection, used by one thread at a time.

    Parameters
    ----------
    path : the SQLite file, made if it is not there. It must lie on a local disk: WAL needs shared
        memory, which network file systems do not give.
    identity : what the answers belong to (province, sources, block size); a file that holds
        answers to something else is refused.

    Raises InputError for a file that cannot be used.
    """

    def __init__(self, path: Path, identity: dict[str, str]) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self.path, timeout=30, isolation_level=None, check_same_thread=False
            )
            mode = self._db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"the desk's database {self.path} cannot be used",
                given=error,
                remedy="check desk.database: an SQLite file in a folder that you may write to",
            ) from None
        if mode != "wal":
            self._db.close()
            raise InputError(
                f"the desk's database {self.path} lies where SQLite cannot keep a write-ahead log",
                given=f"journal mode {mode}",
                remedy="set desk.database to a file on a local disk",
            )
        self._check_identity({"format": FORMAT, **identity})

    def _check_identity(self, identity: dict[str, str]) -> None:
        with self.transaction():
            found = dict(self._db.execute("SELECT key, value FROM meta"))
            if not found:
                self._db.executemany("INSERT INTO meta VALUES (?, ?)", list(identity.items()))
                return
        if found != identity:
            self.close()

            def told(values: dict[str, str]) -> str:
                return ", ".join(f"{key} {value}" for key, value in sorted(values.items()))

            raise InputError(
                f"the desk's database {self.path} holds answers to something else",
                given=told(found),
                allowed=told(identity),
                remedy="set desk.database to another file; this one stays as it is",
            )

    def close(self) -> None:
        """Close the file; further use is an error."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens at once or not at all, also beside another process."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # ------------------------------------------------------------------ events
    def add(
        self,
        *,
        request: str,
        annotator: str,
        task: str,
        block_id: str,
        source: str,
        value: str | None,
        note: str,
        label_round: int,
    ) -> bool:
        """Add an answer, or a skip where `value` is None. False if `request` was seen before."""
        row = (
            *(request, now_utc(), annotator, task, block_id, source),
            *("skip" if value is None else "answer", value or "", note, label_round, None),
        )
        return self._insert(row)

    def undo(self, *, request: str, annotator: str, task: str) -> Event | None:
        """Take back the annotator's newest answer or skip of a task; returns it, None if none.

        What stood before counts again. A request seen before takes back nothing more.
        """
        with self.transaction():
            seen = self._db.execute("SELECT undoes FROM events WHERE request = ?", (request,))
            if (done := seen.fetchone()) is not None:
                return self._event(done[0])
            last = self._db.execute(
                "SELECT max(id) FROM events WHERE task = ? AND annotator = ? AND action != 'undo'"
                " AND id NOT IN (SELECT undoes FROM events WHERE undoes IS NOT NULL)",
                (task, annotator),
            ).fetchone()[0]
            if last is None:
                return None
            event = self._event(last)
            self._insert(
                (
                    *(request, now_utc(), annotator, task, event.block_id, event.source),
                    *("undo", "", "", event.label_round, event.id),
                )
            )
            return event

    def _insert(self, row: tuple) -> bool:
        with self.transaction():
            made = self._db.execute(
                "INSERT INTO events (request, at, annotator, task, block_id, source, action, value,"
                " note, label_round, undoes) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (request) DO NOTHING",
                row,
            )
            return made.rowcount == 1

    def _event(self, number: int | None) -> Event | None:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (number,))
        row = rows.fetchone()
        return None if row is None else Event(*row)

    def standing(self, task: str) -> list[Event]:
        """The answers and skips of a task that count now, one an annotator and item, oldest first.

        An answer that was undone or given anew does not count.
        """
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM standing WHERE task = ? ORDER BY id", (task,)
            )
            return [Event(*row) for row in rows]

    def after(self, task: str, number: int) -> list[tuple[Event, int | None]]:
        """The events of a task after that of id `number`, with the id of what each takes back."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS}, undoes FROM events WHERE task = ? AND id > ? ORDER BY id",
                (task, number),
            )
            return [(Event(*row[:-1]), row[-1]) for row in rows]

    def count(self) -> int:
        """Number of events of every kind: it only grows."""
        with self._lock:
            return self._db.execute("SELECT count(*) FROM events").fetchone()[0]

    # ------------------------------------------------------------------ claims
    def claim(self, task: str, block_id: str, annotator: str, minutes: float) -> None:
        """Note that a block was handed to an annotator; 0 minutes: and is free again."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO claims VALUES (?,?,?,?)"
                " ON CONFLICT DO UPDATE SET until = excluded.until",
                (task, block_id, annotator, time.time() + minutes * 60),
            )

    def holders(self, task: str) -> dict[str, set[str]]:
        """Block -> annotators who have it now."""
        found: dict[str, set[str]] = {}
        with self._lock:
            rows = self._db.execute(
                "SELECT block_id, annotator FROM claims WHERE task = ? AND until > ?",
                (task, time.time()),
            )
            for block_id, annotator in rows:
                found.setdefault(block_id, set()).add(annotator)
        return found

    def was_handed(self, task: str, block_id: str, annotator: str) -> bool:
        """Whether the block was ever handed to the annotator, however long ago."""
        with self._lock:
            rows = self._db.execute(
                "SELECT 1 FROM claims WHERE task = ? AND block_id = ? AND annotator = ?",
                (task, block_id, annotator),
            )
            return rows.fetchone() is not None


def now_utc() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""What the jobs of one provider share: its daily quota, and the turn to download.

The quota is counted in one small SQLite file; beside it lies the file that is locked.
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from croplayer.tiles.errors import TileStoreError

log = logging.getLogger(__name__)

_SHARE = 64
"""Requests taken from the file at a time. A killed job loses at most so many, on the safe side."""


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def one_at_a_time(path: Path, source_name: str) -> Iterator[None]:
    """Wait until no other job downloads from the provider: its rate limit is for all of them.

    One workflow runs one downloader a provider; this holds where several run in one folder, or
    where what a killed one left is still at work. The system frees the lock when a process dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning(
                "another job downloads from source '%s' (it holds %s): waiting for it",
                source_name,
                path,
            )
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class DailyQuota:
    """Requests left to one source today.

    Parameters
    ----------
    path : the SQLite file, shared by all jobs of a provider; made if absent.
    source_name : the key of the source.
    limit : requests a day.
    reset_utc_hour : hour at which the provider's day begins, UTC.
    now : replaced in tests.
    """

    def __init__(
        self,
        path: Path,
        source_name: str,
        limit: int,
        reset_utc_hour: int = 0,
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._path = path
        self._source = source_name
        self._limit = limit
        self._reset = timedelta(hours=reset_utc_hour)
        self._now = now
        self._held = 0
        self._held_day = ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS usage (source TEXT, day TEXT, requests INTEGER, "
                "PRIMARY KEY (source, day)) WITHOUT ROWID"
            )

    def take(self) -> bool:
        """Count one request; False, and nothing counted, if the quota of the day is used up."""
        day = self._day()
        if self._held_day != day:
            # What was taken from yesterday's quota is not today's.
            self._held, self._held_day = 0, day
        if self._held == 0:
            self._held = self._draw(day, min(_SHARE, max(1, self._limit // 100)))
        if self._held == 0:
            return False
        self._held -= 1
        return True

    def give_back(self) -> None:
        """Return what was taken from the file and not used."""
        if self._held and self._held_day == self._day():
            self._draw(self._held_day, -self._held)
        self._held = 0

    def used(self) -> int:
        """Requests counted today, over all jobs."""
        with self._connect() as connection:
            return self._count(connection, self._day())

    def resumes_at(self) -> datetime:
        """When the next day of the provider begins, UTC."""
        start = (self._now() - self._reset).replace(hour=0, minute=0, second=0, microsecond=0)
        return start + timedelta(days=1) + self._reset

    def _day(self) -> str:
        return (self._now() - self._reset).date().isoformat()

    def _draw(self, day: str, wanted: int) -> int:
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            used = self._count(connection, day)
            granted = max(0, min(wanted, self._limit - used)) if wanted > 0 else wanted
            connection.execute(
                "INSERT INTO usage VALUES (?, ?, ?) "
                "ON CONFLICT (source, day) DO UPDATE SET requests = excluded.requests",
                (self._source, day, max(0, used + granted)),
            )
            connection.execute("COMMIT")
        return max(0, granted)

    def _count(self, connection: sqlite3.Connection, day: str) -> int:
        row = connection.execute(
            "SELECT requests FROM usage WHERE source = ? AND day = ?", (self._source, day)
        ).fetchone()
        return int(row[0]) if row else 0

    def _connect(self) -> _Closing:
        return _Closing(self._path)


class _Closing:
    """An SQLite connection that is closed, not only committed, at the end of a `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        self._connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        return self._connection

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        if isinstance(error, sqlite3.Error):
            raise TileStoreError(
                f"quota file {self._path} cannot be used",
                given=error,
                remedy="free disk space, or delete the file (today's count then starts anew)",
            ) from None

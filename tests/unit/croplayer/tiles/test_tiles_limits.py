"""Rate limit and daily quota, with a clock of their own."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croplayer.tiles.errors import TileStoreError
from croplayer.tiles.limiter import RateLimiter
from croplayer.tiles.quota import DailyQuota, one_at_a_time


class Clock:
    """A clock that only sleeping and `late` move."""

    def __init__(self, late: list[float]) -> None:
        self.now = 1000.0
        self.late = late

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        # An event loop wakes up late, by as much as it likes.
        self.now += seconds + (self.late.pop() if self.late else 0.0)


def starts(rate: float, count: int, late: list[float], pause_at: int = -1) -> np.ndarray:
    clock = Clock(late)
    limiter = RateLimiter(rate, clock=clock, sleep=clock.sleep)
    times = []

    async def run() -> None:
        for index in range(count):
            if index == pause_at:
                limiter.pause(7.0)
            await limiter.acquire()
            times.append(clock.now)

    asyncio.run(run())
    return np.array(times)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0.5, 1.0, 2.5, 7.0, 40.0, 333.0]), st.lists(st.floats(0, 0.4), max_size=30))
def test_no_second_holds_more_than_the_rate(rate: float, late: list[float]) -> None:
    times = starts(rate, 400, late)
    allowed = max(1, int(rate))
    span = allowed / rate
    assert np.all(times[allowed:] - times[:-allowed] >= span - 1e-6)


@pytest.mark.parametrize("rate", [2.5, 50.0, 400.0])
def test_the_rate_is_reached_although_wake_ups_are_late(rate: float) -> None:
    count = int(rate * 20)
    times = starts(rate, count, [0.002] * (10 * count))
    assert (count - 1) / (times[-1] - times[0]) > 0.95 * rate


def test_a_pause_holds_everything() -> None:
    times = starts(10.0, 20, [], pause_at=10)
    assert times[10] - times[9] == pytest.approx(7.0, abs=1e-6)
    assert times[11] - times[10] >= 0.05


def test_the_quota_is_shared_and_starts_anew_each_day(tmp_path: Path) -> None:
    moment = [datetime(2024, 5, 1, 22, 0, tzinfo=UTC)]
    first, second = (
        DailyQuota(tmp_path / "quota.sqlite", "google", 10, 7, now=lambda: moment[0])
        for _ in range(2)
    )
    taken = [first.take() for _ in range(6)] + [second.take() for _ in range(6)]
    assert taken == [True] * 10 + [False] * 2
    assert first.used() == 10
    # The provider's day begins at 07:00 UTC.
    assert first.resumes_at() == datetime(2024, 5, 2, 7, 0, tzinfo=UTC)
    moment[0] += timedelta(hours=8, minutes=59)
    assert not first.take()
    moment[0] += timedelta(minutes=1)
    assert first.take()


def test_unused_requests_go_back(tmp_path: Path) -> None:
    quota = DailyQuota(tmp_path / "quota.sqlite", "google", 100_000)
    assert quota.take()
    assert quota.used() > 1
    quota.give_back()
    assert quota.used() == 1


def test_sources_do_not_share_a_quota(tmp_path: Path) -> None:
    one = DailyQuota(tmp_path / "quota.sqlite", "google", 1)
    other = DailyQuota(tmp_path / "quota.sqlite", "mapbox", 1)
    assert [one.take(), one.take(), other.take()] == [True, False, True]


def test_downloads_of_a_provider_take_turns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []

    def second() -> None:
        with one_at_a_time(tmp_path / "quota" / "google.lock", "google"):
            order.append("second")

    waiting = threading.Thread(target=second)
    with one_at_a_time(tmp_path / "quota" / "google.lock", "google"):
        waiting.start()
        with one_at_a_time(tmp_path / "quota" / "mapbox.lock", "mapbox"):
            order.append("another provider")
        end = time.monotonic() + 30
        while "waiting for it" not in caplog.text:
            assert time.monotonic() < end
            time.sleep(0.01)
        order.append("first")
    waiting.join()
    assert order == ["another provider", "first", "second"]
    assert "source 'google'" in caplog.text and "google.lock" in caplog.text


def test_a_damaged_quota_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "quota.sqlite").write_bytes(b"not a database, much too long" * 100)
    with pytest.raises(TileStoreError, match=r"quota\.sqlite cannot be used"):
        DailyQuota(tmp_path / "quota.sqlite", "google", 1)

"""Rate limit of one provider, for coroutines of one event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

_CATCH_UP_SECONDS = 0.05
"""Tokens saved up while the event loop was late; without them the rate sags below its limit."""

_HEADROOM = 1.03
"""What starts evenly arrives unevenly: the window is longer than the provider's by this factor."""


class RateLimiter:
    """A token bucket that also never lets more than `rate` starts fall into any one second.

    The rate that is reached is 3 % below `rate`, so that requests which the network delays by up to
    30 ms do not pass it at the provider either.

    Parameters
    ----------
    rate : starts a second; may be below one.
    clock, sleep : replaced in tests.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._capacity = max(1.0, rate * _CATCH_UP_SECONDS)
        self._tokens = 1.0
        self._last = clock()
        # A bucket alone lets `rate + capacity` through in its first second.
        self._starts: deque[float] = deque(maxlen=max(1, int(rate)))
        self._span = _HEADROOM * (self._starts.maxlen or 1) / rate
        self._paused_until = float("-inf")
        self._queue = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait, in order of arrival, until one more request may start."""
        async with self._queue:
            while (wait := self._wait()) > 0:
                await self._sleep(wait)
            now = self._clock()
            self._refill(now)
            self._tokens -= 1.0
            self._starts.append(now)

    def pause(self, seconds: float) -> None:
        """Let nothing start for `seconds` from now (a longer pause under way stays)."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._capacity, self._tokens + (now - self._last) * self._rate)
        self._last = now

    def _wait(self) -> float:
        now = self._clock()
        self._refill(now)
        waits = [self._paused_until - now, (1.0 - self._tokens) / self._rate]
        if len(self._starts) == self._starts.maxlen:
            waits.append(self._starts[0] + self._span - now)
        longest = max(waits)
        # A wait of a rounding error would spin.
        return longest if longest > 1e-9 else 0.0

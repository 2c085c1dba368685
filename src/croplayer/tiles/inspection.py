"""Bodies of answers judged by threads beside the event loop, as many at a time as have come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from croplayer.settings.sources import XyzSource
from croplayer.tiles.response import Answer, Body, judge_image

THREADS = 2
"""While one waits for the interpreter, which the event loop holds, the other decodes without it."""
MOST_WAITING = 512
"""Bodies handed in and not yet judged: some 10 MB of tiles."""
BATCH = 32

Take = Callable[[Answer], None]


class Inspector:
    """Judges images in threads of its own, until it is closed.

    Whoever hands in a body goes on to the next request: if requests waited for the judgement, the
    network and the threads would take turns. What arrives while the threads are at work are their
    next batches: handing over each image by itself would cost the event loop more than the decoding
    costs the threads.

    Parameters
    ----------
    source : what its images are like.
    fail : told, in the event loop, of an error of our own; what was in that batch is not answered.
    """

    def __init__(self, source: XyzSource, fail: Callable[[BaseException], None]) -> None:
        self._source = source
        self._fail = fail
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="inspect")
        self._waiting: list[tuple[Body, Take]] = []
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._at_work = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def close(self) -> None:
        """Judge what was handed in, and end."""
        await self._idle.wait()
        self._threads.shutdown()

    async def hand_in(self, body: Body, take: Take) -> None:
        """Have the body of a 200 judged (`judge_image`); `take` gets the answer in the event loop.

        Returns at once, unless `MOST_WAITING` bodies wait already.
        """
        await self._room.acquire()
        self._waiting.append((body, take))
        self._next_batch()

    def _next_batch(self) -> None:
        if self._waiting and self._at_work < THREADS:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            self._at_work += 1
            self._idle.clear()
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._threads, self._judge_all, batch)
            work.add_done_callback(lambda done: self._hand_back(batch, done))
        elif self._at_work == 0:
            self._idle.set()

    def _judge_all(self, batch: list[tuple[Body, Take]]) -> list[Answer]:
        return [judge_image(body, self._source) for body, _ in batch]

    def _hand_back(
        self, batch: list[tuple[Body, Take]], done: asyncio.Future[list[Answer]]
    ) -> None:
        for _ in batch:
            self._room.release()
        self._at_work -= 1
        self._next_batch()
        try:
            for (_, take), answer in zip(batch, done.result(), strict=True):
                take(answer)
        except Exception as error:
            self._fail(error)

"""Bodies of answers judged by a thread beside the event loop, as many at a time as have come."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from croplayer.settings.sources import XyzSource
from croplayer.tiles.response import Answer, Body, judge_image


class Inspector:
    """Judges images in a thread of its own. Use as a context manager, within one event loop.

    What arrives while the thread is at work is its next batch: handing over each image by itself
    would cost the event loop more than the decoding costs the thread.
    """

    def __init__(self, source: XyzSource) -> None:
        self._source = source
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inspect")
        self._waiting: list[tuple[Body, asyncio.Future[Answer]]] = []
        self._busy = False

    def __enter__(self) -> Inspector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    async def judge(self, body: Body) -> Answer:
        """The meaning of the body of a 200 (`judge_image`)."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answer))
        if not self._busy:
            self._next_batch()
        return await answer

    def _next_batch(self) -> None:
        batch, self._waiting = self._waiting, []
        self._busy = bool(batch)
        if batch:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._judge_all, batch)
            work.add_done_callback(lambda done: self._hand_back(batch, done))

    def _judge_all(self, batch: list[tuple[Body, asyncio.Future[Answer]]]) -> list[Answer]:
        return [judge_image(body, self._source) for body, _ in batch]

    def _hand_back(
        self, batch: list[tuple[Body, asyncio.Future[Answer]]], done: asyncio.Future[list[Answer]]
    ) -> None:
        self._next_batch()
        error = done.exception()
        for place, (_, answer) in enumerate(batch):
            if answer.done():  # cancelled meanwhile
                continue
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result()[place])

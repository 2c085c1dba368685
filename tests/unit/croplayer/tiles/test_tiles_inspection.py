"""Images judged beside the event loop: the same answers, faults that are not swallowed."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

import numpy as np
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from croplayer.tiles import inspection
from croplayer.tiles.inspection import Inspector
from croplayer.tiles.response import Answer, Body, Verdict, judge_image

HEADERS = CIMultiDictProxy(CIMultiDict({"ETag": '"7"'}))


@pytest.fixture
def bodies(imagery: Any) -> list[Body]:
    """Good images, a page, a truncated image."""
    grey = [np.full((256, 256, 3), value, np.uint8) for value in range(0, 200, 10)]
    good = [imagery.encode(pixels) for pixels in grey]
    return [Body(data, HEADERS) for data in [*good, b"<html>no", good[0][:-20]]]


def judged(bodies: list[Body], source: Any, faults: list | None = None) -> dict[int, Answer]:
    """The answers by place, after all bodies were handed in at once."""
    answers: dict[int, Answer] = {}

    async def run() -> None:
        inspector = Inspector(source, (faults if faults is not None else []).append)
        for place, body in enumerate(bodies):
            await inspector.hand_in(body, partial(answers.__setitem__, place))
        await inspector.close()

    asyncio.run(run())
    return answers


def test_each_body_gets_its_own_answer(bodies: list[Body], make_source: Any) -> None:
    source = make_source()
    answers = judged(bodies, source)
    assert answers == {place: judge_image(body, source) for place, body in enumerate(bodies)}
    assert [answers[len(bodies) - 3 + k].verdict for k in range(3)] == [
        Verdict.STORED, Verdict.RETRY, Verdict.RETRY,
    ]  # fmt: skip
    assert answers[0].etag == '"7"'


def test_what_comes_meanwhile_is_the_next_batch(
    bodies: list[Body], make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    whole = Inspector._judge_all

    def counted(self: Inspector, batch: list) -> list[Answer]:
        batches.append(len(batch))
        return whole(self, batch)

    monkeypatch.setattr(Inspector, "_judge_all", counted)
    assert len(judged(4 * bodies, make_source())) == sum(batches) == 4 * len(bodies)
    assert batches[: inspection.THREADS] == [1] * inspection.THREADS
    assert max(batches) == inspection.BATCH


def test_whoever_hands_in_waits_only_where_too_many_do(
    bodies: list[Body], make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_WAITING", 3)
    held, most = threading.Event(), []
    whole = Inspector._judge_all

    def waiting(self: Inspector, batch: list) -> list[Answer]:
        held.wait(10)
        return whole(self, batch)

    monkeypatch.setattr(Inspector, "_judge_all", waiting)

    async def run() -> None:
        inspector = Inspector(make_source(), most.append)
        for body in bodies[:3]:
            await inspector.hand_in(body, lambda answer: None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inspector.hand_in(bodies[3], lambda answer: None), 0.05)
        held.set()
        await inspector.hand_in(bodies[3], most.append)
        await inspector.close()

    asyncio.run(run())
    assert [answer.verdict for answer in most] == [Verdict.STORED]


def test_a_fault_of_our_own_is_told(
    bodies: list[Body], make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Answer:
        raise ZeroDivisionError

    monkeypatch.setattr(inspection, "judge_image", broken)
    faults: list[BaseException] = []
    assert judged(bodies, make_source(), faults) == {}
    assert {type(fault) for fault in faults} == {ZeroDivisionError}

"""Images judged beside the event loop: the same answers, faults that are not swallowed."""

from __future__ import annotations

import asyncio
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


def judged(bodies: list[Body], source: Any) -> list[Answer]:
    async def run() -> list[Answer]:
        with Inspector(source) as inspector:
            return await asyncio.gather(*(inspector.judge(body) for body in bodies))

    return asyncio.run(run())


def test_each_body_gets_its_own_answer(bodies: list[Body], make_source: Any) -> None:
    source = make_source()
    answers = judged(bodies, source)
    assert answers == [judge_image(body, source) for body in bodies]
    assert [answer.verdict for answer in answers[-3:]] == [
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
    judged(bodies, make_source())
    assert batches == [1, len(bodies) - 1]


def test_a_fault_of_our_own_reaches_whoever_waits(
    bodies: list[Body], make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Answer:
        raise ZeroDivisionError

    monkeypatch.setattr(inspection, "judge_image", broken)
    with pytest.raises(ZeroDivisionError):
        judged(bodies, make_source())

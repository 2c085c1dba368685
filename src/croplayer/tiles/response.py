"""One attempt at one tile: ask, and say what the answer means."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from croplayer.settings.sources import XyzSource
from croplayer.tiles.errors import RejectedImageError
from croplayer.tiles.image import inspect_image

MAX_IMAGE_BYTES = 8 * 1024 * 1024
"""No tile of 512 pixels is larger; an endless answer must not fill the memory."""

_ABSENT = {204, 404, 410}
_REFUSED = {401, 402, 403, 407}
_PASSING = {408, 425, 429}


class Verdict(Enum):
    """What an answer means for the tile and for the run."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    ABSENT = "absent"
    RETRY = "retry"
    HOPELESS = "hopeless"  # asking this tile again cannot help
    REFUSED = "refused"  # asking anything again cannot help


@dataclass(frozen=True)
class Answer:
    """The meaning of one attempt. Reasons never hold an address: addresses hold API keys."""

    verdict: Verdict
    reason: str | None = None
    data: bytes | None = None
    sha256: str | None = None
    format: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True)
class Body:
    """What a 200 brought, not yet looked at."""

    data: bytes
    headers: CIMultiDictProxy[str]


class BrokenConnectionError(aiohttp.ClientError):
    """The connection broke before an answer came."""


async def one_attempt(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Middleware: no second attempt behind our back, past the rate limit and the count.

    aiohttp asks again by itself when a connection that was kept breaks.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenConnectionError(type(error).__name__) from None


async def ask(
    client: aiohttp.ClientSession,
    url: str,
    headers: dict[str, str],
    timeout_seconds: float,
) -> Answer | Body:
    """Make one request; never raises for what the network or provider does.

    `url` is escaped. Returns the meaning of the answer, or the body of a 200, which `judge_image`
    tells.
    """
    try:
        address = URL(url, encoded=True)
    except ValueError:
        return Answer(Verdict.REFUSED, "the address made from sources.<name>.url is not valid")
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            client.get(address, headers=headers, allow_redirects=False) as response,
        ):
            judged = judge_status(response.status, response.headers)
            if judged is not None:
                return judged
            return Body(await _read(response), response.headers)
    except TimeoutError:
        return Answer(Verdict.RETRY, f"no whole answer in {timeout_seconds:g} s")
    except aiohttp.InvalidURL:
        return Answer(Verdict.REFUSED, "the address made from sources.<name>.url is not valid")
    except BrokenConnectionError as error:
        return Answer(Verdict.RETRY, f"connection failed ({error})")
    except aiohttp.ClientError as error:
        return Answer(Verdict.RETRY, f"connection failed ({type(error).__name__})")
    except RejectedImageError as error:
        return Answer(Verdict.RETRY, str(error))


def judge_status(status: int, headers: CIMultiDictProxy[str]) -> Answer | None:
    """The meaning of a status, or None for 200, whose body decides."""
    if status == 200:
        return None
    if status == 304:
        return Answer(Verdict.UNCHANGED, status=status)
    if status in _ABSENT:
        return Answer(Verdict.ABSENT, f"status {status}", status=status)
    if status in _REFUSED:
        return Answer(Verdict.REFUSED, f"status {status}", status=status)
    if status in _PASSING or status >= 500:
        wait = parse_retry_after(headers.get("Retry-After"), datetime.now(UTC))
        return Answer(Verdict.RETRY, f"status {status}", status=status, retry_after_seconds=wait)
    if 300 <= status < 400:
        return Answer(Verdict.HOPELESS, f"redirected (status {status})", status=status)
    return Answer(Verdict.HOPELESS, f"status {status}", status=status)


def judge_image(body: Body, source: XyzSource) -> Answer:
    """The meaning of the body of a 200: an image, a placeholder, or rubbish to ask for again."""
    data, headers = body.data, body.headers
    digest = hashlib.sha256(data).hexdigest()
    if digest in source.placeholder_sha256:
        return Answer(Verdict.ABSENT, "placeholder", sha256=digest, status=200)
    try:
        kind = inspect_image(data, tile_pixels=source.tile_pixels, formats=source.formats)
    except RejectedImageError as error:
        return Answer(Verdict.RETRY, str(error), status=200)
    return Answer(
        Verdict.STORED,
        data=data,
        sha256=digest,
        format=kind,
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        status=200,
    )


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or an HTTP date); None if unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_IMAGE_BYTES:
            raise RejectedImageError(f"more than {MAX_IMAGE_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)

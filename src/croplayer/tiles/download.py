"""Many attempts at many tiles at a time: order, rate, retries, and when to give up."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import aiohttp
import httpx
import uvloop

from cropbase.errors import CropError
from cropbase.jobs import progress
from croplayer.settings.sources import XyzSource
from croplayer.tiles.address import TileAddress
from croplayer.tiles.errors import ProviderDownError, ProviderRefusedError, QuotaReachedError
from croplayer.tiles.inspection import Inspector
from croplayer.tiles.ledger import ABSENT, REJECTED, STORED, PendingTile, TileRecord
from croplayer.tiles.limiter import RateLimiter
from croplayer.tiles.quota import DailyQuota
from croplayer.tiles.response import Answer, Body, Verdict, ask, one_attempt
from croplayer.tiles.store import PartialStore

log = logging.getLogger(__name__)

_COMMIT_SECONDS = 1.0
_COMMIT_TILES = 500
_HOPELESS_LIMIT = 20


class _Job:
    """A tile on its way, with the attempts made in this run."""

    __slots__ = ("attempts", "tile")

    def __init__(self, tile: PendingTile) -> None:
        self.tile = tile
        self.attempts = 0


class Download:
    """The tiles of one shard being fetched. `requests` and `received_bytes` count as it goes."""

    def __init__(
        self,
        source_name: str,
        source: XyzSource,
        key: str | None,
        store: PartialStore,
        quota: DailyQuota | None,
        *,
        trust_env: bool = True,
    ) -> None:
        self.requests = 0
        self.received_bytes = 0
        self._name = source_name
        self._source = source
        self._address = TileAddress(source, key)
        self._store = store
        self._quota = quota
        self._trust_env = trust_env
        self._limiter = RateLimiter(source.requests_per_second)
        self._queue: asyncio.Queue[_Job] = asyncio.Queue()
        self._batch: list[TileRecord] = []
        self._outstanding = 0
        self._done = asyncio.Event()
        self._due = asyncio.Event()
        self._closing = False
        self._asking: set[asyncio.Task[None]] = set()
        self._stopped_by: BaseException | None = None
        self._good = 0
        self._hopeless = 0
        self._streak = 0
        self._last_good = time.monotonic()
        # Jitter only; nothing of it reaches a file.
        self._random = random.Random()

    async def run(self, tiles: list[PendingTile]) -> None:
        """Settle all tiles, or stop with a CropError; whatever was fetched is committed."""
        for tile in tiles:
            self._queue.put_nowait(_Job(tile))
        self._outstanding = len(tiles)
        self._bar = progress(
            range(len(tiles)), what=f"tiles of {self._name}", unit="tiles", total=len(tiles)
        )
        connections = min(self._source.concurrency, len(tiles))
        # The disk must not hold up the network; one thread, so that batches keep their order.
        with ThreadPoolExecutor(1, thread_name_prefix="commit") as writer:
            inspector = Inspector(self._source, self._stop)
            client = self._client(connections)
            workers = [
                asyncio.create_task(self._work(client, inspector)) for _ in range(connections)
            ]
            committer = asyncio.create_task(self._commit_regularly(writer))
            try:
                await self._done.wait()
                # Answers under way are counted by the provider: wait for them, keep them.
                for worker in workers:
                    if worker not in self._asking:
                        worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                await client.close()
                await inspector.close()
                self._bar.close()
                if self._quota:
                    self._quota.give_back()
                # Never cancelled: a batch on its way to the disk is in no other place.
                self._closing = True
                self._due.set()
                await committer
        if self._stopped_by is not None:
            raise self._stopped_by

    def _client(self, connections: int) -> aiohttp.ClientSession:
        # httpx knows where certificates are: SSL_CERT_FILE, SSL_CERT_DIR, else those of certifi.
        security = httpx.create_ssl_context(trust_env=self._trust_env)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=security),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._source.timeout_seconds),
            headers={"User-Agent": self._source.user_agent, "Accept": "image/*"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._trust_env,
            middlewares=(one_attempt,),
        )

    # ------------------------------------------------------------------ workers
    async def _work(self, client: aiohttp.ClientSession, inspector: Inspector) -> None:
        task = asyncio.current_task()
        assert task is not None
        while self._stopped_by is None:
            job = await self._queue.get()
            await self._limiter.acquire()
            try:
                if self._quota and not self._quota.take():
                    self._stop(self._quota_reached())
                    return
                self._asking.add(task)
                job.attempts += 1
                self.requests += 1
                url = self._address.of(job.tile.x, job.tile.y)
                answer = await ask(client, url, _conditions(job.tile), self._source.timeout_seconds)
                if isinstance(answer, Body):
                    await inspector.hand_in(answer, partial(self._settle, job))
                else:
                    self._settle(job, answer)
            except Exception as error:
                # A fault of a worker must end the run and not leave it waiting for ever.
                self._stop(error)
            finally:
                self._asking.discard(task)

    def _settle(self, job: _Job, answer: Answer) -> None:
        verdict = answer.verdict
        if verdict in (Verdict.STORED, Verdict.UNCHANGED, Verdict.ABSENT):
            self._good += 1
            self._streak = 0
            self._last_good = time.monotonic()
            self.received_bytes += len(answer.data or b"")
            self._finish_tile(job, ABSENT if verdict is Verdict.ABSENT else STORED, answer)
        elif verdict is Verdict.REFUSED:
            self._stop(self._refusal(answer))
        elif verdict is Verdict.HOPELESS:
            self._hopeless += 1
            self._finish_tile(job, REJECTED, answer)
            if not self._good and self._hopeless >= _HOPELESS_LIMIT:
                self._stop(self._nothing_but_refusals(answer))
        else:
            self._retry(job, answer)

    def _finish_tile(self, job: _Job, status: str, answer: Answer) -> None:
        self._batch.append(
            TileRecord(
                x=job.tile.x,
                y=job.tile.y,
                status=status,
                attempts=job.attempts,
                fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
                reason=answer.reason,
                format=answer.format,
                sha256=answer.sha256,
                data=answer.data,
                etag=answer.etag,
                last_modified=answer.last_modified,
            )
        )
        if len(self._batch) >= _COMMIT_TILES:
            self._due.set()
        next(self._bar, None)
        self._outstanding -= 1
        if self._outstanding == 0:
            next(self._bar, None)
            self._done.set()

    def _retry(self, job: _Job, answer: Answer) -> None:
        source = self._source
        self._streak += 1
        log.debug(
            "tile %d/%d/%d, attempt %d: %s",
            source.zoom,
            job.tile.x,
            job.tile.y,
            job.attempts,
            answer.reason,
        )
        asked = answer.retry_after_seconds
        if asked is not None and asked > source.max_retry_after_seconds:
            self._stop(self._asked_to_wait(asked))
            return
        wait = self._jitter(job.attempts)
        if asked is not None:
            # The provider speaks to all of us, not to this one tile.
            self._limiter.pause(asked)
            self._last_good = max(self._last_good, time.monotonic() + asked)
            wait += asked
        elif answer.status == 429:
            self._limiter.pause(wait)
        if self._streak >= source.concurrency:
            self._slow_down()
        if job.attempts >= source.max_attempts:
            self._finish_tile(job, REJECTED, answer)
        elif self._stopped_by is None:
            asyncio.get_running_loop().call_later(wait, self._queue.put_nowait, job)

    def _jitter(self, attempts: int) -> float:
        """Exponential backoff with full jitter, seconds."""
        source = self._source
        ceiling = source.initial_backoff_seconds * 2.0 ** min(attempts - 1, 30)
        return self._random.uniform(0.0, min(source.max_backoff_seconds, ceiling))

    def _slow_down(self) -> None:
        """While nothing succeeds, do not burn the attempts of tile after tile."""
        silent = time.monotonic() - self._last_good
        if silent > self._source.outage_seconds:
            self._stop(
                ProviderDownError(
                    f"source '{self._name}' has given no good answer for {silent:.0f} s "
                    f"({self._streak} failures in a row)",
                    remedy="check the network and the provider, and run again: what was fetched "
                    "is kept",
                )
            )
        elif self._streak % self._source.concurrency == 0:
            self._limiter.pause(self._jitter(self._streak // self._source.concurrency))

    # ------------------------------------------------------------------ commits
    async def _commit_regularly(self, writer: ThreadPoolExecutor) -> None:
        """Commit what was settled, every second or every so many tiles, until the run closes."""
        loop = asyncio.get_running_loop()
        while self._batch or not self._closing:
            if not self._closing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._due.wait(), _COMMIT_SECONDS)
                self._due.clear()
            batch, self._batch = self._batch, []
            try:
                await loop.run_in_executor(writer, self._store.record, batch)
            except Exception as error:
                self._stop(error)
                return

    # ------------------------------------------------------------------ stopping
    def _stop(self, error: BaseException) -> None:
        """End the run with the first error that calls for it."""
        if self._stopped_by is None:
            self._stopped_by = error
        self._done.set()

    def _refusal(self, answer: Answer) -> CropError:
        env = self._source.api_key_env
        if env:
            remedy = (
                f"check that environment variable {env} (sources.{self._name}.api_key_env) holds a "
                "valid key that may read these tiles, and that its quota is not used up"
            )
        else:
            remedy = (
                f"check sources.{self._name}.url; the provider may need a key (set "
                f"sources.{self._name}.api_key_env) or may have blocked this address"
            )
        return ProviderRefusedError(
            f"source '{self._name}' refuses to serve tiles", given=answer.reason, remedy=remedy
        )

    def _nothing_but_refusals(self, answer: Answer) -> CropError:
        return ProviderRefusedError(
            f"the first {self._hopeless} tiles of source '{self._name}' were all refused",
            given=answer.reason,
            remedy=f"check sources.{self._name}.url and sources.{self._name}.zoom",
        )

    def _asked_to_wait(self, seconds: float) -> CropError:
        return ProviderDownError(
            f"source '{self._name}' asks to wait {seconds:.0f} s (Retry-After)",
            allowed=f"sources.{self._name}.max_retry_after_seconds: "
            f"{self._source.max_retry_after_seconds:g}",
            remedy="run again after that time: what was fetched is kept",
        )

    def _quota_reached(self) -> CropError:
        assert self._quota is not None
        when = self._quota.resumes_at()
        return QuotaReachedError(
            f"the daily quota of source '{self._name}' is used up, "
            f"{self._outstanding} tiles are left",
            given=f"sources.{self._name}.daily_quota: {self._source.daily_quota}",
            remedy=f"run again after {when:%Y-%m-%d %H:%M} UTC: what was fetched is kept",
        )


def run_download(download: Download, tiles: list[PendingTile]) -> None:
    """Run a download to its end from code that is not asynchronous."""
    # At lower levels these loggers may print addresses, and addresses hold API keys.
    for name in ("aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    uvloop.run(download.run(tiles))


def _conditions(tile: PendingTile) -> dict[str, str]:
    headers = {}
    if tile.etag:
        headers["If-None-Match"] = tile.etag
    if tile.last_modified:
        headers["If-Modified-Since"] = tile.last_modified
    return headers

"""Fetch the tiles of one shard from a provider, resumable at any moment."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles.checks import api_key, check_terms, with_server
from croplayer.tiles.coverage import covering_tiles
from croplayer.tiles.download import Download, run_download
from croplayer.tiles.errors import TilesFailedError
from croplayer.tiles.ledger import ABSENT, REJECTED, STORED
from croplayer.tiles.quota import DailyQuota, one_at_a_time
from croplayer.tiles.store import PartialStore

log = logging.getLogger(__name__)

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class FetchSummary:
    """What one call of `fetch_tiles` did.

    Parameters
    ----------
    tiles : tiles of the shard; stored + absent.
    stored, absent : tiles with an image, and without one at the provider.
    requests : requests made by this call.
    received_bytes : bytes of images received by this call.
    seconds : duration of this call.
    """

    tiles: int
    stored: int
    absent: int
    requests: int
    received_bytes: int
    seconds: float


def fetch_tiles(
    *,
    source_name: str,
    source: XyzSource,
    grid: BlockGrid,
    blocks: Sequence[Block],
    halo_pixels: int,
    output: Path,
    quota_file: Path | None = None,
    refetch: bool = False,
) -> FetchSummary:
    """Fetch all tiles under `blocks` and their halo into one MBTiles file with a ledger.

    Progress is kept in `<output>.partial`; a run that was killed or ended by an error goes on from
    there and asks for nothing that is stored. `output` appears only when every tile is either
    stored or known to be absent.

    Parameters
    ----------
    source_name, source : key and settings of the provider.
    grid, blocks, halo_pixels : what to cover (`coverage.covering_tiles`).
    output : the MBTiles file, EPSG:3857 tiles in the provider's datum.
    quota_file : count of requests a day, shared by all jobs of the provider, which then also take
        turns; default: `quota.sqlite` beside `output`, and no turns.
    refetch : ask again for the tiles of an existing `output`, conditionally (If-None-Match,
        If-Modified-Since), and keep what has not changed.

    Raises
    ------
    TermsNotAcceptedError, DependencyError : the configuration is not complete.
    ProviderRefusedError : status 401 or 403, or nothing but refusals.
    ProviderDownError : no good answer for `outage_seconds`.
    QuotaReachedError : the daily quota is used up; the message says when to go on.
    TilesFailedError : some tiles failed in every attempt; the message lists them.
    TileStoreError : the file cannot be written, is damaged, or is in use.
    """
    started = time.monotonic()
    output = Path(output)
    check_terms(source_name, source)
    key = api_key(source_name, source)
    source = with_server(source_name, source)
    matrix = TileMatrix(source.zoom, source.tile_pixels)
    xs, ys = covering_tiles(matrix, source.datum, grid, blocks, halo_pixels)
    partial = output.with_name(output.name + ".partial")
    fresh = not partial.exists()
    download = None
    with PartialStore(partial, source.zoom, fingerprint(source)) as store:
        if store.discarded:
            _warn_of_other_settings(partial)
        adopted = fresh and output.exists() and store.adopt(output)
        if fresh and output.exists() and not adopted:
            _warn_of_other_settings(output)
        store.plan(xs, ys)
        dropped = store.forget_placeholders(source.placeholder_sha256)
        if dropped:
            log.warning("%d stored tiles are placeholders and now count as absent", dropped)
        if adopted and refetch:
            store.reopen()
        pending = store.pending()
        log.info(
            "source %s: %d tiles needed, %d still to ask for", source_name, len(xs), len(pending)
        )
        if pending:
            quota = _quota(source_name, source, quota_file or output.parent / "quota.sqlite")
            download = Download(source_name, source, key, store, quota, trust_env=_trusts(source))
            with _turn(source_name, quota_file):
                run_download(download, pending)
        _require_all(source_name, source, store, partial)
        counts = store.counts()
        if counts[ABSENT] * 2 > len(xs):
            log.warning(
                "source %s has no imagery for %d of %d tiles: if that is unexpected, check its "
                "url, zoom and datum",
                source_name,
                counts[ABSENT],
                len(xs),
            )
        store.finish(output, mbtiles_metadata(source_name, source, matrix, xs, ys))
        store.remove()
    summary = FetchSummary(
        tiles=len(xs),
        stored=counts[STORED],
        absent=counts[ABSENT],
        requests=download.requests if download else 0,
        received_bytes=download.received_bytes if download else 0,
        seconds=time.monotonic() - started,
    )
    log.info(
        "source %s: %d tiles stored, %d absent; %d requests, %.1f MB, %.1f s",
        source_name,
        summary.stored,
        summary.absent,
        summary.requests,
        summary.received_bytes / 1e6,
        summary.seconds,
    )
    return summary


def fingerprint(source: XyzSource) -> str:
    """Digest of the settings that decide what a tile is; tiles of another one are not mixed in.

    The template is taken before the API key is filled in. The port of a server on this machine is
    left out: it may come back at another one.
    """
    template = source.url
    parts = urlsplit(template)
    if parts.hostname in LOOPBACK:
        template = parts._replace(netloc="localhost").geturl()
    identity = json.dumps([template, source.zoom, source.tile_pixels])
    return hashlib.sha256(identity.encode()).hexdigest()


def mbtiles_metadata(
    source_name: str, source: XyzSource, matrix: TileMatrix, xs: np.ndarray, ys: np.ndarray
) -> dict[str, str]:
    """Metadata of the MBTiles specification, and the datum; `format` is known only at the end."""
    west, _, _, north = matrix.tile_bounds(int(xs.min()), int(ys.min()))
    _, south, east, _ = matrix.tile_bounds(int(xs.max()), int(ys.max()))
    return {
        "name": source_name,
        "type": "baselayer",
        "version": "1",
        "description": f"Imagery of source {source_name} for cropland mapping"
        + (" (generated, not observed)" if source.generated else ""),
        "attribution": source.attribution,
        "bounds": f"{west:.8f},{south:.8f},{east:.8f},{north:.8f}",
        "minzoom": str(source.zoom),
        "maxzoom": str(source.zoom),
        "datum": source.datum,
        "generated": "yes" if source.generated else "no",
    }


def _warn_of_other_settings(path: Path) -> None:
    log.warning("%s was fetched with another url, zoom or tile size: it is begun anew", path)


def _quota(source_name: str, source: XyzSource, path: Path) -> DailyQuota | None:
    if source.daily_quota is None:
        return None
    return DailyQuota(path, source_name, source.daily_quota, source.quota_reset_utc_hour)


def _turn(source_name: str, quota_file: Path | None) -> AbstractContextManager[None]:
    if quota_file is None:
        return nullcontext()
    return one_at_a_time(quota_file.with_suffix(".lock"), source_name)


def _trusts(source: XyzSource) -> bool:
    """A server on this machine is never reached through a proxy."""
    return urlsplit(source.url).hostname not in LOOPBACK


def _require_all(source_name: str, source: XyzSource, store: PartialStore, partial: Path) -> None:
    """Raise TilesFailedError, naming the first, unless every tile is settled."""
    failed = store.counts()[REJECTED]
    if not failed:
        return
    reasons = "; ".join(f"{count} x {reason}" for reason, count in store.rejection_reasons()[:5])
    first = ", ".join(f"{source.zoom}/{x}/{y} ({reason})" for x, y, reason in store.rejected(5))
    raise TilesFailedError(
        f"{failed} tiles of source '{source_name}' failed in all attempts of this run "
        f"(sources.{source_name}.max_attempts: {source.max_attempts})",
        given=f"{reasons}\n  first tiles (z/x/y): {first}",
        remedy="run again: the good tiles are kept in "
        f"{partial.name} and only the failed ones are asked for; an image that the provider sends "
        "in place of imagery belongs into "
        f"sources.{source_name}.placeholder_sha256",
    )

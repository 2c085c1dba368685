"""Download against a local server that fails, refuses and slows down in every known way."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tile_files import query

from croplayer.tiles.errors import (
    ProviderDownError,
    ProviderRefusedError,
    QuotaReachedError,
    TilesFailedError,
)
from croplayer.tiles.response import parse_retry_after


def test_every_passing_fault_is_survived(
    server: Any,
    make_source: Any,
    fetch: Any,
    tmp_path: Path,
    imagery: Any,
) -> None:
    whole = imagery.encode(imagery.tile_pixels(1, 1))
    small = imagery.encode(np.zeros((128, 128, 3), np.uint8))
    faults = {
        "429": server.status(429, {"Retry-After": "0"}),
        "503": server.status(503, {"Retry-After": "0"}),
        "500": server.status(500),
        "html": server.body(
            b"<!DOCTYPE html><html>slow down</html>", {"Content-Type": "text/html"}
        ),
        "truncated": server.body(whole[: len(whole) // 2]),
        "short": server.short,
        "size": server.body(small),
        "empty": server.body(b""),
        "reset": server.reset,
        "stall": server.stall(1.5),
    }
    source = make_source(zoom=15, timeout_seconds=1.0)
    fetch(source, output=tmp_path / "undisturbed.mbtiles")
    tiles = sorted(set(server.asked()))
    hit = len(faults)
    assert len(tiles) > hit
    for tile, fault in zip(tiles, faults.values(), strict=False):
        server.faults[tile] = [fault, fault]
    server.log.clear()
    summary = fetch(source)
    assert summary.stored == len(tiles)
    assert summary.requests == len(tiles) + 2 * hit == len(server.log)
    sql = "SELECT * FROM tiles ORDER BY zoom_level, tile_column, tile_row"
    assert query(tmp_path / "a.mbtiles", sql) == query(tmp_path / "undisturbed.mbtiles", sql)
    attempts = dict(query(tmp_path / "a.mbtiles", "SELECT (x || ',' || y), attempts FROM ledger"))
    assert Counter(attempts.values()) == {1: len(tiles) - hit, 3: hit}


@pytest.mark.parametrize("code", [404, 410, 204])
def test_no_imagery_is_recorded_and_not_asked_again(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path, code: int
) -> None:
    source = make_source()
    fetch(source)
    tile = server.asked()[3]
    (tmp_path / "a.mbtiles").unlink()
    server.faults[tile] = [server.status(code)]
    server.log.clear()
    summary = fetch(source)
    assert (summary.absent, summary.stored) == (1, summary.tiles - 1)
    assert server.asked().count(tile) == 1
    x, y = tile
    rows = query(
        tmp_path / "a.mbtiles", f"SELECT status, reason FROM ledger WHERE x = {x} AND y = {y}"
    )
    assert rows == [("absent", f"status {code}")]


def test_placeholders_are_absent_also_when_known_only_later(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path, imagery: Any
) -> None:
    grey = imagery.encode(np.full((256, 256, 3), 221, np.uint8))
    digest = hashlib.sha256(grey).hexdigest()
    fetch(make_source())
    tiles = server.asked()[:2]
    (tmp_path / "a.mbtiles").unlink()
    for tile in tiles:
        server.faults[tile] = [server.body(grey)]
    server.log.clear()
    known = make_source(placeholder_sha256=(digest.upper(),))
    assert fetch(known, output=tmp_path / "known.mbtiles").absent == 2
    assert server.asked().count(tiles[0]) == 1
    for tile in tiles:
        server.faults[tile] = [server.body(grey)]
    assert fetch(make_source()).absent == 0
    server.log.clear()
    assert fetch(known).absent == 2
    assert not server.log
    sql = "SELECT * FROM tiles ORDER BY 1, 2, 3"
    assert query(tmp_path / "a.mbtiles", sql) == query(tmp_path / "known.mbtiles", sql)


def test_tiles_that_never_come_are_listed_and_the_rest_is_kept(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path
) -> None:
    source = make_source()
    fetch(source)
    tile = sorted(server.asked())[0]
    (tmp_path / "a.mbtiles").unlink()
    server.faults[tile] = [server.body(b"<html>busy</html>")] * 4
    with pytest.raises(TilesFailedError) as caught:
        fetch(source)
    text = str(caught.value)
    assert "1 tiles of source 'scene' failed" in text
    assert f"13/{tile[0]}/{tile[1]} (an HTML page instead of an image)" in text
    assert "sources.scene.placeholder_sha256" in text
    assert not (tmp_path / "a.mbtiles").exists()
    server.log.clear()
    fetch(source)
    assert server.asked() == [tile]
    x, y = tile
    assert query(
        tmp_path / "a.mbtiles", f"SELECT attempts FROM ledger WHERE x = {x} AND y = {y}"
    ) == [(5,)]


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_ends_the_run_at_once(
    server: Any, make_source: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setenv("SCENE_KEY", "wrong")
    server.always = server.status(code)
    source = make_source(
        url=f"http://127.0.0.1:{server.port}/{{z}}/{{x}}/{{y}}.png?k={{key}}",
        api_key_env="SCENE_KEY",
        concurrency=1,
    )
    with pytest.raises(ProviderRefusedError, match="SCENE_KEY") as caught:
        fetch(source)
    assert f"status {code}" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert len(server.log) == 1


def test_a_wrong_address_ends_the_run_soon(server: Any, make_source: Any, fetch: Any) -> None:
    server.always = server.status(400)
    with pytest.raises(ProviderRefusedError, match=r"sources\.scene\.url") as caught:
        fetch(make_source(zoom=15))
    assert "status 400" in str(caught.value)
    assert 20 <= len(server.log) < 40


def test_an_outage_ends_the_run(server: Any, make_source: Any, fetch: Any) -> None:
    server.always = server.status(500)
    source = make_source(outage_seconds=0.2, max_attempts=100, concurrency=4)
    with pytest.raises(ProviderDownError, match="no good answer"):
        fetch(source)


def test_a_server_that_is_not_there_is_named_with_its_reason(
    make_source: Any, fetch: Any, tmp_path: Path
) -> None:
    source = make_source(url="http://127.0.0.1:9/{z}/{x}/{y}.png", max_attempts=2)
    with pytest.raises(TilesFailedError, match=r"connection failed \(ClientConnectorError\)"):
        fetch(source)
    assert not (tmp_path / "a.mbtiles").exists()


def test_retry_after_holds_all_requests(server: Any, make_source: Any, fetch: Any) -> None:
    source = make_source(concurrency=4, zoom=14)
    fetch(source)
    first = server.asked()[0]
    server.log.clear()
    server.faults[first] = [server.status(429, {"Retry-After": "1"})]
    server.delay_seconds = 0.02
    fetch(make_source(concurrency=4, zoom=14, url=source.url + "?again"))
    gaps = np.diff([entry[0] for entry in server.log])
    assert gaps.max() > 0.9
    # Only what was under way beside the refused request came before the pause.
    assert int(np.argmax(gaps)) <= 8


def test_a_long_retry_after_ends_the_run(server: Any, make_source: Any, fetch: Any) -> None:
    server.always = server.status(429, {"Retry-After": "86400"})
    with pytest.raises(ProviderDownError, match="asks to wait 86400 s"):
        fetch(make_source())


def test_retry_after_is_read_as_seconds_or_date() -> None:
    now = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
    assert parse_retry_after("7", now) == 7
    assert parse_retry_after(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90
    assert parse_retry_after(format_datetime(now - timedelta(seconds=90), usegmt=True), now) == 0
    assert parse_retry_after("soon", now) is None
    assert parse_retry_after(None, now) is None


def test_the_rate_is_never_passed(server: Any, make_source: Any, fetch: Any, imagery: Any) -> None:
    rate = 30
    source = make_source(zoom=15, requests_per_second=rate, concurrency=16)
    flat = imagery.encode(np.full((256, 256, 3), 90, np.uint8))
    server.image = lambda z, x, y: flat
    fetch(source)
    times = np.sort([entry[0] for entry in server.log])
    assert len(times) > 2 * rate
    # The server sees starts late, each by another amount, on a busy machine by more; the exact
    # law is tested with a clock of its own (test_tiles_limits).
    assert np.all(times[rate:] - times[:-rate] > 1.0 - 0.2)
    assert len(times) / (times[-1] - times[0]) > 0.5 * rate


def test_the_quota_ends_the_run_and_loses_nothing(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(daily_quota=5)
    with pytest.raises(QuotaReachedError, match="run again after") as caught:
        fetch(source)
    assert "sources.scene.daily_quota: 5" in str(caught.value)
    assert len(server.log) == 5
    kept = set(server.asked())
    with pytest.raises(QuotaReachedError):
        fetch(source)
    assert len(server.log) == 5
    server.log.clear()
    summary = fetch(make_source(daily_quota=500))
    assert not kept & set(server.asked())
    assert summary.requests == summary.tiles - 5


def test_a_kept_connection_that_breaks_is_one_attempt_and_no_more(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path
) -> None:
    # HTTP clients like to ask again by themselves then: past the rate limit, and uncounted.
    source = make_source(concurrency=1)
    fetch(source, output=tmp_path / "undisturbed.mbtiles")
    tiles = sorted(set(server.asked()))
    for tile in tiles[1::3]:
        server.faults[tile] = [server.reset]
    server.log.clear()
    summary = fetch(source)
    assert summary.requests == len(server.log) == len(tiles) + len(tiles[1::3])
    ledger = query(tmp_path / "a.mbtiles", "SELECT sum(attempts) FROM ledger")
    assert ledger == [(summary.requests,)]

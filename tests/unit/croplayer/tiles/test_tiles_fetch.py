"""Download against a local server that fails in every known way."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from cropbase.errors import DiskFullError
from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles import FetchSummary, count_tiles, fetch_tiles
from croplayer.tiles.errors import (
    ProviderDownError,
    ProviderRefusedError,
    QuotaReachedError,
    TermsNotAcceptedError,
    TilesFailedError,
    TileStoreError,
)
from croplayer.tiles.ledger import TileRecord
from croplayer.tiles.response import parse_retry_after
from croplayer.tiles.store import PartialStore

HALO = 40


@pytest.fixture
def blocks(grid: BlockGrid) -> list[Block]:
    return [grid.block_at(112.31, 23.11), grid.block_at(112.36, 23.11)]


@pytest.fixture
def fetch(tmp_path: Path, grid: BlockGrid, blocks: list[Block]) -> Callable[..., FetchSummary]:
    def run(source: XyzSource, **changes: Any) -> FetchSummary:
        values: dict[str, Any] = {
            "source_name": "scene",
            "source": source,
            "grid": grid,
            "blocks": blocks,
            "halo_pixels": HALO,
            "output": tmp_path / "a.mbtiles",
        }
        return fetch_tiles(**{**values, **changes})

    return run


def query(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_everything_needed_is_fetched_once(
    server: Any,
    make_source: Any,
    fetch: Any,
    tmp_path: Path,
    grid: BlockGrid,
    blocks: list[Block],
    imagery: Any,
) -> None:
    source = make_source()
    summary = fetch(source)
    wanted = count_tiles(source, grid, blocks, HALO)
    assert summary.tiles == summary.stored == summary.requests == wanted == len(server.log)
    assert len(set(server.asked())) == wanted
    rows = query(tmp_path / "a.mbtiles", "SELECT * FROM tiles")
    assert len(rows) == wanted
    for zoom, column, row, data in rows:
        # MBTiles counts rows from the south.
        pixels = imagery.tile_pixels(column, (1 << zoom) - 1 - row)
        assert data == imagery.encode(pixels)
    assert not list(tmp_path.glob("*.partial*"))
    assert {path.name for path in tmp_path.iterdir()} == {"a.mbtiles"}


def test_the_ledger_tells_of_every_tile(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path
) -> None:
    fetch(make_source())
    rows = query(
        tmp_path / "a.mbtiles",
        "SELECT z, x, y, status, sha256, bytes, attempts, fetched_at, etag FROM ledger",
    )
    for z, x, y, status, digest, size, attempts, moment, etag in rows:
        data = server.bytes_of(z, x, y)
        assert (status, attempts, size) == ("stored", 1, len(data))
        assert digest == hashlib.sha256(data).hexdigest()
        assert etag == f'"{z}-{x}-{y}"'
        age = datetime.now(UTC) - datetime.fromisoformat(moment)
        assert timedelta(0) <= age < timedelta(minutes=5)


def test_gdal_reads_the_file_in_the_right_place(
    make_source: Any, fetch: Any, tmp_path: Path, imagery: Any
) -> None:
    source = make_source()
    fetch(source)
    metadata = dict(query(tmp_path / "a.mbtiles", "SELECT name, value FROM metadata"))
    assert metadata["format"] == "png"
    assert metadata["type"] == "baselayer"
    assert metadata["attribution"] == "a generated scene"
    assert "generated" in metadata["description"]
    assert metadata["minzoom"] == metadata["maxzoom"] == "13"
    matrix = TileMatrix(13)
    with rasterio.open(tmp_path / "a.mbtiles") as dataset:
        assert dataset.driver == "MBTiles"
        assert dataset.crs.to_epsg() == 3857
        left = round((dataset.bounds.left + 20037508.342789244) / dataset.res[0])
        top = round((20037508.342789244 - dataset.bounds.top) / dataset.res[1])
        assert dataset.res[0] * matrix.world_pixels == pytest.approx(2 * 20037508.342789244)
        pixels = np.moveaxis(dataset.read((1, 2, 3)), 0, -1)
    # GDAL clips the raster to `bounds`, which may cut a pixel off by rounding.
    assert left % 256 in (0, 1)
    assert top % 256 in (0, 1)
    x, y = np.meshgrid(
        left + np.arange(pixels.shape[1]) + 0.5, top + np.arange(pixels.shape[0]) + 0.5
    )
    assert np.array_equal(pixels, imagery.scene(x, y))
    integrity = query(tmp_path / "a.mbtiles", "PRAGMA integrity_check")
    journal = query(tmp_path / "a.mbtiles", "PRAGMA journal_mode")
    assert (integrity, journal) == ([("ok",)], [("delete",)])


def test_equal_images_are_kept_once(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path, imagery: Any
) -> None:
    sea = imagery.encode(np.full((256, 256, 3), 30, np.uint8))
    server.image = lambda z, x, y: sea
    summary = fetch(make_source())
    assert query(tmp_path / "a.mbtiles", "SELECT count(*) FROM images") == [(1,)]
    assert query(tmp_path / "a.mbtiles", "SELECT count(*) FROM tiles") == [(summary.tiles,)]


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


def test_a_finished_file_is_asked_for_only_what_is_new(
    server: Any, make_source: Any, fetch: Any, grid: BlockGrid, blocks: list[Block]
) -> None:
    source = make_source()
    before = fetch(source)
    server.log.clear()
    assert fetch(source).requests == 0
    more = [*blocks, grid.block_at(112.46, 23.11)]
    after = fetch(source, blocks=more)
    assert after.tiles > before.tiles
    assert after.requests == len(server.log) == after.tiles - before.tiles
    assert fetch(source, blocks=blocks).tiles == before.tiles


def test_another_address_is_not_mixed_with_the_old_tiles(
    server: Any, make_source: Any, fetch: Any
) -> None:
    fetch(make_source())
    summary = fetch(make_source(url=make_source().url + "?style=2"))
    assert summary.requests == summary.tiles


def test_refetching_is_conditional(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path, imagery: Any
) -> None:
    source = make_source()
    first = fetch(source)
    changed = server.asked()[0]
    new = imagery.encode(np.full((256, 256, 3), 7, np.uint8))
    for tile in set(server.asked()):
        server.faults[tile] = [server.status(304)]
    server.faults[changed] = [server.body(new, {"ETag": '"new"'})]
    server.log.clear()
    again = fetch(source, refetch=True)
    assert again.stored == first.stored == again.requests
    for _, path, headers in server.log:
        z, x, y = server.place(path)
        assert headers["If-None-Match"] == f'"{z}-{x}-{y}"'
    x, y = changed
    rows = query(
        tmp_path / "a.mbtiles",
        f"SELECT etag, attempts FROM ledger WHERE x = {x} AND y = {y}",
    )
    assert rows == [('"new"', 2)]
    digest = hashlib.sha256(new).hexdigest()
    held = query(
        tmp_path / "a.mbtiles",
        f"SELECT tile_id FROM map WHERE tile_column = {x} AND tile_row = {(1 << 13) - 1 - y}",
    )
    assert held == [(digest,)]
    count = query(tmp_path / "a.mbtiles", "SELECT count(*) FROM images")
    assert count == [(first.stored,)]


def test_terms_come_first(server: Any, make_source: Any, fetch: Any, tmp_path: Path) -> None:
    with pytest.raises(TermsNotAcceptedError, match=r"sources\.scene\.terms_accepted"):
        fetch(make_source(terms_accepted=False))
    assert not server.log
    assert not list(tmp_path.iterdir())


def test_a_second_run_on_the_same_file_is_refused(
    server: Any, make_source: Any, fetch: Any, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "a.mbtiles.partial", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("CREATE TABLE busy (a)")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(TileStoreError, match="another run is writing it"):
            fetch(make_source())
    finally:
        other.close()
    assert not server.log


def test_a_damaged_partial_file_is_named(make_source: Any, fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "a.mbtiles.partial").write_bytes(b"garbage that is no database" * 300)
    with pytest.raises(TileStoreError, match=r"a\.mbtiles\.partial is damaged") as caught:
        fetch(make_source())
    assert "delete it and run again" in str(caught.value)


def test_a_full_disk_is_named_and_what_was_fetched_is_kept(
    server: Any, make_source: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(zoom=15, requests_per_second=100)
    record = PartialStore.record
    committed: list[int] = []

    def filling_up(store: PartialStore, records: list[TileRecord]) -> None:
        # SQLite answers a file that may not grow as it answers a full disk.
        if committed:
            pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
            store._connection.execute(f"PRAGMA max_page_count={pages}")
        record(store, records)
        committed.append(len(records))

    with monkeypatch.context() as patched:
        patched.setattr(PartialStore, "record", filling_up)
        patched.setattr("croplayer.tiles.download._COMMIT_SECONDS", 0.2)
        with pytest.raises(DiskFullError, match="what is finished is kept"):
            fetch(source)
    kept = sum(committed)
    assert kept > 0
    server.log.clear()
    summary = fetch(source)
    assert summary.requests == summary.tiles - kept


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


def test_the_key_is_written_nowhere(
    server: Any,
    make_source: Any,
    fetch: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = "pk.planted-0123456789-secret"
    monkeypatch.setenv("SCENE_KEY", key)
    for name in ("aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    source = make_source(
        url=f"http://127.0.0.1:{server.port}/{{z}}/{{x}}/{{y}}.png?access_token={{key}}",
        api_key_env="SCENE_KEY",
        daily_quota=100_000,
    )
    fetch(source)
    assert all(f"access_token={key}" in path for _, path, _ in server.log)
    tile = server.asked()[0]
    server.faults[tile] = [server.status(302, {"Location": f"http://127.0.0.1/?k={key}"})]
    with pytest.raises(TilesFailedError) as caught:
        fetch(source, output=tmp_path / "b.mbtiles")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"a.mbtiles", "b.mbtiles.partial", "quota.sqlite"} <= {path.name for path in written}
    for path in written:
        assert b"planted-0123456789" not in path.read_bytes(), path
    out, err = capfd.readouterr()
    assert "planted-0123456789" not in caplog.text + out + err + str(caught.value)

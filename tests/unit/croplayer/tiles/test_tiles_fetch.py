"""Download against a local server: what is asked for, kept and written."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from tile_files import HALO, query

from cropbase.errors import DiskFullError
from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.tiles import count_tiles
from croplayer.tiles.errors import (
    TermsNotAcceptedError,
    TilesFailedError,
    TileStoreError,
)
from croplayer.tiles.ledger import TileRecord
from croplayer.tiles.store import PartialStore


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

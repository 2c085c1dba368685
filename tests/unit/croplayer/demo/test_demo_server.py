"""The tile server, and the faults that it makes on purpose."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject, transform_bounds

from cropbase.errors import InputError
from croplayer.demo.faults import Faults, placeholder_image
from croplayer.demo.server import TileServer, main
from croplayer.demo.tiling import tile_of


@pytest.fixture(scope="module")
def tiles(small):
    """(x, y) -> stored bytes of source summer."""
    with sqlite3.connect(small.folder / "imagery" / "summer.mbtiles") as connection:
        rows = connection.execute("SELECT tile_column, tile_row, tile_data FROM tiles").fetchall()
    return {(x, 2**12 - 1 - y): data for x, y, data in rows}


@pytest.fixture(scope="module")
def server(small):
    with TileServer(small.folder) as running:
        yield running


def path(key, source="summer"):
    return f"/{source}/12/{key[0]}/{key[1]}.png"


def test_serves_each_stored_tile_as_it_is(server, tiles):
    with httpx.Client(base_url=server.url) as client:
        for key, data in tiles.items():
            answer = client.get(path(key))
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "image/png"
            assert answer.content == data


def test_listens_on_the_loopback_only(server):
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.sources == ("summer", "winter")


@pytest.mark.parametrize(
    "path", ["/summer/12/0/0.png", "/nobody/12/0/0.png", "/summer/12/0", "/summer/2/9/0.png"]
)
def test_no_data_no_source_and_no_tile_are_404(server, path):
    assert httpx.get(server.url + path).status_code == 404


def test_a_known_etag_is_answered_with_304_and_nothing_else(server, tiles):
    url = server.url + path(next(iter(tiles)))
    tag = httpx.get(url).headers["etag"]
    same = httpx.get(url, headers={"If-None-Match": f'"other", {tag}'})
    assert same.status_code == 304
    assert same.content == b""
    assert same.headers["etag"] == tag
    assert httpx.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_has_the_headers_without_the_tile(server, tiles):
    key, data = next(iter(tiles.items()))
    answer = httpx.head(server.url + path(key))
    assert answer.headers["content-length"] == str(len(data))
    assert answer.content == b""


def test_requests_are_logged_with_their_times(small, tiles):
    keys = list(tiles)[:5]
    with TileServer(small.folder) as running:
        before = time.monotonic()
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda key: httpx.get(running.url + path(key)), keys))
        # A request is logged when its answer is out, which the client may see a moment earlier.
        while len(running.requests) < len(keys) and time.monotonic() < before + 10:
            time.sleep(0.01)
        log = running.requests
        assert sorted(r.path for r in log) == sorted(path(key) for key in keys)
        assert all(before <= r.seconds <= time.monotonic() for r in log)
        assert [r.seconds for r in log] == sorted(r.seconds for r in log)
        assert {r.status for r in log} == {200}
        running.clear()
        assert running.requests == []


def test_latency_delays_every_answer(small, tiles):
    with TileServer(small.folder, faults=Faults(latency_seconds=0.2)) as running:
        start = time.monotonic()
        httpx.get(running.url + path(next(iter(tiles))))
        assert time.monotonic() - start >= 0.2


def fails(small, key, **shares):
    """The first answer (or exception) of a server that always makes one fault, and its server."""
    with TileServer(small.folder, faults=Faults(**shares)) as running:
        url = running.url + path(key)
        try:
            first = httpx.get(url, timeout=5)
        except httpx.HTTPError as error:
            first = error
        return first, httpx.get(url, timeout=5)


@pytest.fixture(scope="module")
def whole(tiles):
    """A tile that has data everywhere."""
    return next(k for k, d in tiles.items() if Image.open(io.BytesIO(d)).mode == "RGB")


def test_server_errors(small, whole, tiles):
    first, second = fails(small, whole, server_error=1.0, most_failures=1)
    assert first.status_code == 500
    assert second.content == tiles[whole]


def test_too_many_requests_says_when_to_come_again(small, whole):
    first, second = fails(small, whole, too_many=1.0, retry_after_seconds=3, most_failures=1)
    assert first.status_code == 429
    assert first.headers["retry-after"] == "3"
    assert second.status_code == 200


def test_resets_break_the_connection(small, whole):
    first, second = fails(small, whole, reset=1.0, most_failures=1)
    assert isinstance(first, httpx.TransportError)
    assert second.status_code == 200


def test_stalls_end_without_an_answer(small, whole):
    first, second = fails(small, whole, stall=1.0, stall_seconds=0.1, most_failures=1)
    assert isinstance(first, httpx.TransportError)
    assert second.status_code == 200


def test_closing_does_not_wait_for_a_stall(small, whole):
    with TileServer(small.folder, faults=Faults(stall=1.0, stall_seconds=60)) as running:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(running.url + path(whole), timeout=0.2)
        start = time.monotonic()
    assert time.monotonic() - start < 5


def test_html_with_status_200(small, whole):
    first, _ = fails(small, whole, html=1.0)
    assert first.status_code == 200
    assert first.content.startswith(b"<!doctype html>")


def test_truncated_images_cannot_be_decoded(small, whole, tiles):
    first, _ = fails(small, whole, truncated=1.0)
    assert first.status_code == 200
    assert tiles[whole].startswith(first.content)
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(first.content)).load()


def test_images_of_the_wrong_size_are_whole(small, whole):
    first, _ = fails(small, whole, wrong_size=1.0)
    image = Image.open(io.BytesIO(first.content))
    image.load()
    assert image.size == (128, 128)


def test_placeholders_stay_and_are_always_the_same(small, whole):
    first, second = fails(small, whole, placeholder=1.0)
    wanted = hashlib.sha256(placeholder_image()).digest()
    assert hashlib.sha256(first.content).digest() == wanted
    assert hashlib.sha256(second.content).digest() == wanted


def test_faults_come_in_their_shares_whatever_the_order():
    faults = Faults(seed=3, server_error=0.2, html=0.1, placeholder=0.1)
    paths = [f"/a/14/{n}/7.png" for n in range(4000)]
    drawn = [faults.draw(p, 0) for p in paths]
    assert drawn[::-1] == [faults.draw(p, 0) for p in reversed(paths)]
    share = {name: drawn.count(name) / len(drawn) for name in set(drawn)}
    assert share["placeholder"] == pytest.approx(0.1, abs=0.02)
    # Passing faults share what placeholders leave.
    assert share["server_error"] == pytest.approx(0.2 * 0.9, abs=0.025)
    assert share["html"] == pytest.approx(0.1 * 0.9, abs=0.02)
    assert {faults.draw(p, faults.most_failures) for p in paths} == {None, "placeholder"}


def test_shares_above_one_are_refused():
    with pytest.raises(ValueError, match="add up"):
        Faults(html=0.7, reset=0.7)


@pytest.fixture(scope="module")
def utm_image(tmp_path_factory):
    """An RGB raster in UTM with a gradient, a nodata corner and a fourth band."""
    file = tmp_path_factory.mktemp("utm") / "scene.tif"
    y, x = np.mgrid[0:400, 0:500]
    bands = np.stack([40 + x * 0.4, 60 + y * 0.4, np.full(x.shape, 90), x % 200]).astype(np.uint8)
    bands[:, :100, :100] = 0
    with rasterio.open(
        file,
        "w",
        driver="GTiff",
        width=500,
        height=400,
        count=4,
        dtype="uint8",
        crs="EPSG:26914",
        transform=from_origin(486000, 5209000, 5, 5),
        nodata=0,
        photometric="MINISBLACK",  # the fourth band is near infrared, not transparency
    ) as dataset:
        dataset.write(bands)
    return file


def test_a_raster_in_another_projection_is_warped_into_place(utm_image):
    with rasterio.open(utm_image) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        x, y = (int(v) for v in tile_of((west + east) / 2, (south + north) / 2, 15))
        half = 20037508.342789244
        size = 2 * half / 2**15
        transform = from_origin(x * size - half, half - y * size, size / 256, size / 256)
        oracle = np.zeros((3, 256, 256), np.uint8)
        reproject(
            dataset.read([1, 2, 3]),
            oracle,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            src_nodata=0,
            dst_transform=transform,
            dst_crs="EPSG:3857",
            resampling=Resampling.bilinear,
        )
    with TileServer({"scene": utm_image}) as running:
        answer = httpx.get(f"{running.url}/scene/15/{x}/{y}.png")
        assert httpx.get(f"{running.url}/scene/15/{x + 9}/{y}.png").status_code == 404
    tile = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    seen = (tile[..., 3] > 0) & (oracle.min(axis=0) > 0)
    assert seen.mean() > 0.5
    difference = np.abs(tile[..., :3].astype(int) - np.moveaxis(oracle, 0, 2))[seen]
    assert difference.max() <= 3


def test_nodata_of_a_raster_is_transparent(utm_image):
    with rasterio.open(utm_image) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    lon, lat = west + 0.17 * (east - west), north - 0.2 * (north - south)
    x, y = tile_of(lon, lat, 16)
    with TileServer({"scene": utm_image}) as running:
        answer = httpx.get(f"{running.url}/scene/16/{int(x)}/{int(y)}.png")
    tile = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    assert tile[int(y % 1 * 256), int(x % 1 * 256), 3] == 0
    assert (tile[..., 3] > 0).any()


def test_what_cannot_be_served_is_said(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        TileServer(tmp_path / "nowhere")
    with pytest.raises(InputError, match="nothing to serve"):
        TileServer(tmp_path)
    (tmp_path / "bad.mbtiles").write_bytes(b"not a database" * 100)
    with pytest.raises(InputError, match="not an MBTiles file"):
        TileServer(tmp_path)
    with rasterio.open(
        tmp_path / "grey.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8",
        crs="EPSG:4326", transform=from_origin(0, 0, 1, 1),
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 4, 4), np.uint8))
    with pytest.raises(InputError, match="no RGB image"):
        TileServer({"grey": tmp_path / "grey.tif"})


def test_a_taken_port_is_named(server, small, capsys):
    with pytest.raises(InputError, match=f"port {server.port}"):
        TileServer(small.folder, port=server.port)
    assert main([str(small.folder), "--port", str(server.port)]) == 1
    assert "another port" in capsys.readouterr().err


def test_the_command_line_explains_itself():
    done = subprocess.run(
        [sys.executable, "-m", "croplayer.demo.server", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--latency-ms" in done.stdout
    assert "this machine only" in " ".join(done.stdout.split())

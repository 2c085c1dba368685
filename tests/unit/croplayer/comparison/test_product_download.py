"""Downloads against a server on this machine that fails as told."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import shapely

from cropbase.errors import DependencyError, InputError
from croplayer.comparison.download import (
    download_product,
    fetch_file,
    listed_files,
    read_manifest,
)
from croplayer.settings.comparison import DownloadSettings

BODY = b"II*\0" + bytes(range(256)) * 3000


class Server:
    """Serves files with Range; `faults` are taken one a request."""

    def __init__(self):
        self.files, self.faults, self.requests, self.etag = {}, [], [], '"one"'
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                fault = outer.faults.pop(0) if outer.faults else None
                if fault is not None and fault(self, outer):
                    return
                body = outer.files.get(self.path)
                if body is None:
                    self.send(404, b"")
                    return
                start = outer.start_of(self.headers)
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send(206 if start else 200, body, start)

            def send(self, status, body, start=0, stop=None):
                self.send_response(status)
                self.send_header("ETag", outer.etag)
                self.send_header("Content-Length", str(len(body) - start))
                if status == 206:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                self.end_headers()
                self.wfile.write(body[start:stop])

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def start_of(self, headers):
        if "If-Range" in headers and headers["If-Range"] != self.etag:
            return 0
        text = headers.get("Range", "bytes=0-")
        return int(text.removeprefix("bytes=").rstrip("-"))


def breaks_off(handler, server):
    """Half of what is asked for, then the line is cut."""
    body = server.files[handler.path]
    start = server.start_of(handler.headers)
    handler.send(206 if start else 200, body, start, start + (len(body) - start) // 2)
    handler.close_connection = True
    return True


def status(code):
    def fault(handler, server):
        handler.send(code, b"busy")
        return True

    return fault


def changed(handler, server):
    server.etag, server.files[handler.path] = (
        '"two"',
        BODY[::-1].replace(BODY[:4][::-1], b"") + b"x",
    )
    server.files[handler.path] = b"II*\0" + server.files[handler.path]
    return False


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def manners(tmp_path):
    return DownloadSettings(
        folder=tmp_path / "p", timeout_seconds=5, max_attempts=3, backoff_seconds=0
    )


def test_a_broken_download_goes_on_where_it_was(server, manners, tmp_path):
    server.files["/a.tif"], server.faults = BODY, [breaks_off, breaks_off, status(503)]
    found = fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert found.sha256 == hashlib.sha256(BODY).hexdigest() and found.bytes == len(BODY)
    ranges = [headers.get("Range") for _, headers in server.requests]
    half, more = len(BODY) // 2, len(BODY) // 2 + len(BODY) // 4
    assert ranges == [None, f"bytes={half}-", f"bytes={more}-", f"bytes={more}-"]
    assert server.requests[-1][1]["If-Range"] == '"one"'
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_a_killed_download_goes_on_in_the_next_run(server, manners, tmp_path):
    server.files["/a.tif"] = BODY
    (tmp_path / "a.tif.part").write_bytes(BODY[:1000])
    (tmp_path / "a.tif.part.tag").write_text('"one"')
    fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert server.requests[0][1]["Range"] == "bytes=1000-"


def test_a_whole_part_is_not_fetched_again(server, manners, tmp_path):
    server.files["/a.tif"] = BODY
    (tmp_path / "a.tif.part").write_bytes(BODY)
    fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert (tmp_path / "a.tif").read_bytes() == BODY and len(server.requests) == 1


def test_a_file_that_changed_in_between_is_not_put_together_of_two(server, manners, tmp_path):
    server.files["/a.tif"], server.faults = BODY, [breaks_off, changed]
    fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert (tmp_path / "a.tif").read_bytes() == server.files["/a.tif"] != BODY


def from_the_start(handler, server):
    """Answers a Range with other bytes than were asked for."""
    handler.send(206, server.files[handler.path], 0)
    return True


def test_bytes_from_another_place_are_not_put_behind(server, manners, tmp_path):
    server.files["/a.tif"], server.faults = BODY, [breaks_off, from_the_start]
    fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert (tmp_path / "a.tif").read_bytes() == BODY


def test_a_dead_server_is_given_up_and_what_came_is_kept(server, manners, tmp_path):
    server.files["/a.tif"], server.faults = BODY, [breaks_off] + [status(500)] * 9
    with pytest.raises(DependencyError, match="could not be fetched") as caught:
        fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert "status 500" in str(caught.value)
    assert not (tmp_path / "a.tif").exists() and (tmp_path / "a.tif.part").stat().st_size > 0


@pytest.mark.parametrize("code", [401, 403])
def test_a_refusal_is_told_at_once(server, manners, tmp_path, code):
    server.faults = [status(code)]
    with pytest.raises(DependencyError, match="refuses"):
        fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert len(server.requests) == 1


def test_a_page_of_html_is_no_product(server, manners, tmp_path):
    server.files["/a.tif"] = b"<html>please log in</html>"
    with pytest.raises(InputError, match="no GeoTIFF and no zip"):
        fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners)
    assert [p.name for p in tmp_path.iterdir()] == [".a.tif.lock"]


def test_a_wrong_checksum_is_refused(server, manners, tmp_path):
    server.files["/a.tif"] = BODY
    with pytest.raises(InputError, match="not what its checksum says"):
        fetch_file(f"{server.url}/a.tif", tmp_path / "a.tif", manners, sha256="0" * 64)
    assert not (tmp_path / "a.tif").exists()


@pytest.fixture
def product(server, catalogue):
    return catalogue.products["worldcover"].model_copy(
        update={"download": f"{server.url}/{{file}}"}
    )


REGION = shapely.box(110.9, 24.0, 111.2, 24.1)
WEST, EAST = (f"ESA_WorldCover_10m_2020_v100_N24E{lon}_Map.tif" for lon in (108, 111))


def fetch(product, manners, tmp_path, checksums=None):
    return download_product(
        name="worldcover", product=product, region=REGION, settings=manners, checksums=checksums,
        manifest=tmp_path / "manifest.json",
    )  # fmt: skip


def test_the_tiles_of_a_region_with_attribution_and_manifest(server, product, manners, tmp_path):
    server.files[f"/{EAST}"] = BODY  # the western tile is all sea: the server has none
    found = fetch(product, manners, tmp_path)
    assert [path.name for path in found] == [EAST]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    by_name = {entry["name"]: entry for entry in manifest["files"]}
    assert by_name[WEST]["path"] is None
    assert by_name[EAST]["sha256"] == hashlib.sha256(BODY).hexdigest()
    attribution = (manners.folder / "worldcover" / "ATTRIBUTION.txt").read_text()
    assert "ESA WorldCover project 2020" in attribution and "CC BY 4.0" in attribution
    assert listed_files([tmp_path / "manifest.json"]) == found
    server.requests.clear()
    fetch(product, manners, tmp_path)
    assert [path for path, _ in server.requests] == [f"/{WEST}"]


def test_checksums_of_a_table(server, product, manners, tmp_path):
    server.files[f"/{EAST}"] = BODY
    table = tmp_path / "sums.csv"
    table.write_text(f"file,sha256\n{EAST},{'0' * 64}\n")
    with pytest.raises(InputError, match=EAST):
        fetch(product, manners, tmp_path, table)
    table.write_text(f"file,sha256\n{EAST},{hashlib.sha256(BODY).hexdigest().upper()}\n")
    assert len(fetch(product, manners, tmp_path, table)) == 1


def test_no_tile_at_all_is_told(product, manners, tmp_path):
    with pytest.raises(InputError, match="no tile of this province"):
        fetch(product, manners, tmp_path)


def test_a_file_that_went_is_told(server, product, manners, tmp_path):
    server.files[f"/{EAST}"] = BODY
    (path,) = fetch(product, manners, tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="is gone"):
        read_manifest(tmp_path / "manifest.json")

"""Files of products with an open direct address: resumable, checked, with their attribution."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from shapely.geometry.base import BaseGeometry

from cropbase.atomic import write_json, write_text
from cropbase.errors import DependencyError, InputError
from cropbase.jobs import progress
from cropbase.tables import read_csv
from croplayer.comparison.tiling import tile_names
from croplayer.settings.comparison import DownloadSettings
from croplayer.settings.products import Product

log = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 300.0
_PASSING = {408, 425, 429}
_ABSENT = {404, 410}
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"PK\x03\x04")
"""How a TIFF, a BigTIFF and a zip begin; a page of HTML does not."""


@dataclass(frozen=True)
class Fetched:
    """One tile: the file, or None where the provider has none (sea), with its hash and size."""

    name: str
    path: str | None
    sha256: str | None
    bytes: int | None


def download_product(
    *,
    name: str,
    product: Product,
    region: BaseGeometry,
    settings: DownloadSettings,
    checksums: Path | None,
    manifest: Path,
) -> list[Path]:
    """Fetch the tiles of a product that a region needs; write and return what there is.

    Parameters
    ----------
    region : the province, EPSG:4326.
    checksums : CSV with columns file, sha256; None: what arrived is hashed and written down.

    Files lie in `<settings.folder>/<name>/`, with ATTRIBUTION.txt beside them; a half-fetched one
    is continued where it stopped. `manifest` (JSON) lists them. A file that is there and whole is
    not fetched again.

    Raises DependencyError for a server that gives no good answer, InputError for a file that is not
    what it should be, or a region without any tile.
    """
    if product.download is None:
        raise InputError(f"{product.title} has no open direct address", remedy=product.record)
    folder = settings.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    _write_attribution(folder, product)
    wanted = read_checksums(checksums)
    fetched = []
    for file in progress(list(tile_names(product, region)), what=f"files of {name}", unit="file"):
        url = product.download.format(file=file)
        fetched.append(fetch_file(url, folder / file, settings, sha256=wanted.get(file)))
    paths = [Path(tile.path) for tile in fetched if tile.path is not None]
    if not paths:
        raise InputError(
            f"{product.title} has no tile of this province",
            given=", ".join(tile.name for tile in fetched),
            remedy=f"check the tiling in the catalogue against {product.record}",
        )
    write_json(
        manifest,
        {
            "product": name,
            "record": product.record,
            "attribution": product.attribution,
            "files": [asdict(tile) for tile in fetched],
        },
    )
    return paths


def read_manifest(path: Path) -> list[Path]:
    """The files that a manifest lists. Raises InputError if one of them is gone."""
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))["files"]
        files = [Path(entry["path"]) for entry in entries if entry["path"] is not None]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"manifest {path} cannot be read", given=error) from None
    for file in files:
        if not file.exists():
            raise InputError(
                f"file {file} of manifest {path} is gone",
                remedy=f"delete {path}: it is then fetched again",
            )
    return files


def listed_files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files of a product: those that are given, or those that a manifest lists."""
    given = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if len(given) == 1 and given[0].name == "manifest.json":
        return read_manifest(given[0])
    return given


def read_checksums(path: Path | None) -> dict[str, str]:
    """{file name: sha256} of a CSV; {} for None."""
    if path is None:
        return {}
    table = read_csv(path, ("file", "sha256"), as_text=True)
    return dict(zip(table["file"], table["sha256"].str.lower(), strict=True))


def fetch_file(
    url: str, target: Path, settings: DownloadSettings, *, sha256: str | None = None
) -> Fetched:
    """Fetch one file, continuing what an earlier try left, and check it.

    `target.part` holds what has arrived; it is renamed when the whole is there. Only one process
    works at a file; others wait and find it done. Absent on the server: no file, and no error.
    """
    with _alone(target):
        if not target.exists():
            if not _fetch_part(url, target, settings):
                return Fetched(target.name, None, None, None)
            _accept(url, target, sha256)
        digest = _sha256(target)
        if sha256 is not None and digest != sha256:
            raise _wrong_sum(target, digest, sha256)
        return Fetched(target.name, str(target), digest, target.stat().st_size)


def _fetch_part(url: str, target: Path, settings: DownloadSettings) -> bool:
    """Bring `target.part` to its full length; False if the server has no such file.

    Attempts that bring bytes start the count anew: a flaky line is no dead server.
    """
    part = _part(target)
    failures, reason = 0, ""
    with httpx.Client(timeout=settings.timeout_seconds, follow_redirects=True) as client:
        while failures < settings.max_attempts:
            before = _size(part)
            try:
                done = _ask(client, url, part)
                if done is not None:
                    return done
                reason = "the connection closed before the end"
            except _PassingError as error:
                reason = str(error)
            except httpx.HTTPError as error:
                reason = f"connection failed ({type(error).__name__})"
            failures = 0 if _size(part) > before else failures + 1
            log.warning("%s: %s after %d bytes", target.name, reason, _size(part))
            time.sleep(
                min(settings.backoff_seconds * 2 ** max(failures - 1, 0), _LONGEST_WAIT_SECONDS)
            )
    raise DependencyError(
        f"file {target.name} could not be fetched",
        given=f"{reason}, {settings.max_attempts} attempts without headway",
        allowed=f"a server that answers at {url}",
        remedy="try later: what has arrived is kept and continued; or fetch the file yourself and "
        "put it there",
    )


class _PassingError(Exception):
    """An answer that may be another one later."""


def _ask(client: httpx.Client, url: str, part: Path) -> bool | None:
    """One request. True: the part is whole; False: no such file; None: it broke off."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    tag = _tag_file(part)
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.exists():
            # Without it a file that changed in between would be put together of two.
            headers["If-Range"] = tag.read_text(encoding="utf-8")
    with client.stream("GET", url, headers=headers) as response:
        status = response.status_code
        if status in _ABSENT:
            return False
        if status in _PASSING or status >= 500:
            raise _PassingError(f"status {status}")
        if status == 416:
            # The server has nothing beyond what is there: either it is whole, or it changed.
            if _length_of_416(response) == have:
                return True
            _forget(part)
            return None
        if status not in (200, 206):
            raise DependencyError(
                f"the server refuses {url}", given=f"status {status}", remedy="see its record"
            )
        part_of = response.headers.get("content-range", "")
        if status == 206 and part_of and not part_of.startswith(f"bytes {have}-"):
            # Bytes from another place would make a file that only looks whole.
            _forget(part)
            return None
        total = _total(response, have)
        _remember(tag, response)
        with open(part, "ab" if status == 206 else "wb") as handle:
            for chunk in response.iter_raw():
                handle.write(chunk)
    return None if total is not None and _size(part) < total else True


def _total(response: httpx.Response, have: int) -> int | None:
    """The whole length that the server tells, None if it does not."""
    if response.status_code == 206:
        text = response.headers.get("content-range", "").rpartition("/")[2]
        if text.isdecimal():
            return int(text)
        length = response.headers.get("content-length")
        return have + int(length) if length else None
    length = response.headers.get("content-length")
    return int(length) if length else None


def _length_of_416(response: httpx.Response) -> int | None:
    text = response.headers.get("content-range", "").rpartition("/")[2]
    return int(text) if text.isdecimal() else None


def _accept(url: str, target: Path, sha256: str | None) -> None:
    """Rename the whole part to its name, if it is what it should be."""
    part = _part(target)
    with open(part, "rb") as handle:
        begin = handle.read(4)
    if begin not in _MAGIC:
        _forget(part)
        raise InputError(
            f"what came from {url} is no GeoTIFF and no zip",
            given=repr(begin),
            remedy="open the address in a browser: it may be a page that asks for something",
        )
    if sha256 is not None and (digest := _sha256(part)) != sha256:
        _forget(part)
        raise _wrong_sum(target, digest, sha256)
    os.replace(part, target)
    _tag_file(part).unlink(missing_ok=True)


def _wrong_sum(target: Path, digest: str, sha256: str) -> InputError:
    return InputError(
        f"file {target} is not what its checksum says",
        given=f"sha256 {digest}",
        allowed=f"sha256 {sha256}",
        remedy="delete it and fetch it again, or correct the table of checksums",
    )


def _write_attribution(folder: Path, product: Product) -> None:
    write_text(
        folder / "ATTRIBUTION.txt",
        f"{product.title} {product.year}, {product.producer}\n\n{product.attribution}\n\n"
        f"Licence: {product.licence}\nRecord: {product.record}\n\n{product.citation}\n",
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the lock of one file, which the system releases when the process dies."""
    with open(target.with_name(f".{target.name}.lock"), "a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _remember(tag: Path, response: httpx.Response) -> None:
    """Keep what identifies this version of the file; a weak ETag cannot serve a Range."""
    etag = response.headers.get("etag", "")
    value = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified")
    if value:
        tag.write_text(value, encoding="utf-8")
    else:
        tag.unlink(missing_ok=True)


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

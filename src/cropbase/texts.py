"""Text files from outside: read whole, or refused with the reason that people meet most."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from cropbase.errors import CropError, InputError

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body")


def read_text(
    path: str | Path,
    *,
    what: str,
    encoding: str = "utf-8-sig",
    key: str | None = None,
    error: type[CropError] = InputError,
) -> str:
    """The text of a file.

    Parameters
    ----------
    what : what the file is called in messages (`statistics file`).
    encoding : of the text; a byte-order mark of UTF-8 is taken off.
    key : the key of the configuration that sets the encoding; None: there is none.
    error : the class that is raised.

    Raises `error` if the file is absent, a folder, may not be read, holds a web page, a workbook or
    bytes that are no text of this encoding, or if there is no such encoding.
    """
    path = Path(path)
    data = read_bytes(path, what=what, error=error)
    head = data[:512].lstrip().lower()
    if head.startswith(_PAGE):
        raise error(
            f"{what} {path} is a web page",
            given=repr(data[:40].decode("latin-1")),
            remedy="download the file itself: the site answered with a page (a login, an error)",
        )
    if data.startswith((_ZIP, _OLE)):
        raise error(
            f"{what} {path} is no text but a workbook or a zip archive",
            given=f"it begins with {data[:4]!r}",
            remedy="open it in a spreadsheet program and save it as CSV in UTF-8; or unpack it",
        )
    set_it = f"set `{key}`" if key else "save the file in UTF-8"
    wide = next((name for mark, name in _WIDE.items() if data.startswith(mark)), None)
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError) as fault:
        other = f", e.g. {wide or 'gb18030 for older Chinese exports'}" if key else ""
        raise error(
            f"{what} {path} is not text in the encoding {encoding}",
            given=fault,
            remedy=f"{set_it}{other}",
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise error(
            f"{what} {path}, line {line} holds a null byte, which no text has",
            remedy=f"{set_it} if it is UTF-16 or UTF-32; else copy the file anew, it is damaged",
        )
    return text


def require_file(path: str | Path, *, what: str, error: type[CropError] = InputError) -> None:
    """Raise `error` unless `path` is a file that may be read."""
    with _opened(Path(path), what, error):
        pass


def read_bytes(path: str | Path, *, what: str, error: type[CropError] = InputError) -> bytes:
    """The bytes of a file; raises `error` if it is absent, a folder, or may not be read."""
    with _opened(Path(path), what, error) as handle:
        return handle.read()


def _opened(path: Path, what: str, error: type[CropError]) -> BinaryIO:
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise error(
            f"{what} {path} does not exist",
            remedy="check the path in the configuration, and where the workflow runs",
        ) from None
    except (OSError, ValueError) as fault:
        raise error(
            f"{what} {path} cannot be read",
            given=getattr(fault, "strerror", None) or fault,
            allowed="a file that may be read, no folder",
        ) from None


def csv_lines(
    text: str,
    *,
    name: str,
    delimiter: str = ",",
    strict: bool = False,
    error: type[CropError] = InputError,
) -> Iterator[tuple[int, list[str]]]:
    """(number of its last line, fields) of every row of a CSV that messages call `name`.

    Raises `error` for a quotation mark that is never closed, or (`strict`) stands inside a text.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as fault:
        raise error(
            f"{name}, line {reader.line_num} cannot be read as CSV",
            given=fault,
            remedy="look for a quotation mark that is never closed, above that line",
        ) from None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` most resembles, whatever the case of letters."""
    plain = {text.lower(): text for text in known}
    found = difflib.get_close_matches(name.lower(), plain, n=1)
    return plain[found[0]] if found else None

"""Small pages of HTML for people: one style, no script, nothing outside the file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 70rem; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #555; vertical-align: bottom; }
th.number, td.number { text-align: right; }
td.number { white-space: nowrap; }
tr.first td { border-top: 2px solid #999; }
.good { color: #00674b; font-weight: 600; }
.bad, .note { color: #a33f00; font-weight: 600; }
.small { color: #555; font-size: 13px; }
img { max-width: 100%; }
p.verdict { background: #eef3f6; padding: .7rem 1rem; border-left: 4px solid #0072b2; }
"""


@dataclass(frozen=True)
class Cell:
    """A cell of a table that is more than a word: `kind` holds classes of the style.

    number (to the right), good, bad, small.
    """

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table; the `first` of a group has a line above it."""

    cells: Sequence[str | Cell]
    first: bool = False


def number(text: str) -> Cell:
    """A cell with a number in it."""
    return Cell(text, "number")


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` is verdict, note, small or nothing."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def table(head: Sequence[str | Cell], rows: Iterable[Row | Sequence[str | Cell]]) -> str:
    """A table as HTML. A column is to the right where its head is a `number`."""
    parts = ["<table><thead>", _row(head, "th"), "</thead><tbody>"]
    for row in rows:
        if isinstance(row, Row):
            parts.append(_row(row.cells, "td", first=row.first))
        else:
            parts.append(_row(row, "td"))
    return "\n".join([*parts, "</tbody></table>"])


def picture(path: Path, alt: str) -> str:
    """A PNG inside the page; `alt` says what it shows."""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<p><img alt="{escape(alt)}" src="data:image/png;base64,{content}"></p>'


def page(title: str, *parts: str, note: str = "") -> str:
    """A whole page: title, what must be said of its data (`note`), then the parts, HTML all."""
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
    )
    said = [paragraph(note, "note")] if note else []
    return "\n".join([head, f"<h1>{escape(title)}</h1>", *said, *parts, "</body></html>\n"])


def _row(cells: Sequence[str | Cell], tag: str, *, first: bool = False) -> str:
    inner = "".join(_cell(cell, tag) for cell in cells)
    return f"<tr{_class('first' if first else '')}>{inner}</tr>"


def _cell(cell: str | Cell, tag: str) -> str:
    if isinstance(cell, str):
        cell = Cell(cell)
    scope = ' scope="col"' if tag == "th" else ""
    return f"<{tag}{scope}{_class(cell.kind)}>{escape(cell.text)}</{tag}>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""

"""Figures and tables of a run as parts of a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from PIL import Image

from cropbase.errors import InputError
from cropbase.pages import Cell, number, paragraph, table
from cropbase.tables import read_csv, read_table

MOST_ROWS = 200
"""Rows of a table on a page; the file has the others."""
_SMALL_BYTES = 120_000
_QUALITY = 88
_LONG = 40
"""Characters from which on a cell is given room."""


@dataclass(frozen=True)
class Item:
    """One figure or table of a run.

    Parameters
    ----------
    number : of the paper, such as "Figure 12"; "" for what the paper does not have.
    key : unique name, which addresses of the page end with.
    kind : how it is shown: a PNG as a picture, a CSV or Parquet file as a table.
    path : relative to the folder of the results.
    title, caption : one line, and what a reader must know, with units.
    when : the part of a run that makes it; rules ask for it only where the run has that part.
    """

    number: str
    key: str
    kind: Literal["figure", "table"]
    path: str
    title: str
    caption: str
    when: str = "always"


@dataclass(frozen=True)
class Part:
    """A part of a page that the contents list: its anchor, its line there, its HTML."""

    key: str
    title: str
    html: str


def item_parts(
    items: Iterable[Item], folder: Path, *, parts: Collection[str], missing: Mapping[str, str]
) -> tuple[list[Part], list[Part], str]:
    """(parts with a number of the paper, other parts, what is not in this run) as HTML.

    Parameters
    ----------
    folder : of the results, which the paths of the items start from.
    parts : values of `Item.when` that this run has. A file that is there all the same is of an
        earlier configuration, and not shown.
    missing : `Item.when` -> why a run does not have the item.

    Raises InputError for a file that is there and cannot be read.
    """
    numbered, others, absent = [], [], []
    for item in items:
        path = folder / item.path
        if item.when not in parts or not path.exists():
            name = f"{item.number}: {item.title}" if item.number else item.title
            absent.append(f"<li>{escape(name)} <span>{escape(missing[item.when])}</span></li>")
            continue
        html = _figure(item, path) if item.kind == "figure" else _table(item, path)
        title = f"{item.number} {item.title}" if item.number else item.title
        (numbered if item.number else others).append(Part(item.key, title, html))
    listed = f'<ul class="absent">{"".join(absent)}</ul>' if absent else ""
    return numbered, others, listed


def _figure(item: Item, path: Path) -> str:
    content, media, (width, height) = shrunk(path)
    source = f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"
    return (
        f'<figure id="{item.key}">{_heading(item)}'
        f'<a class="sheet" href="{escape(item.path)}" title="The figure as it was drawn (PNG)">'
        f'<img src="{source}" alt="{escape(item.title)}" width="{width}" height="{height}"></a>'
        f"<figcaption>{escape(item.caption)}</figcaption></figure>"
    )


def shrunk(path: Path) -> tuple[bytes, str, tuple[int, int]]:
    """(bytes, media type, (width, height)) of a PNG: as WebP where that is smaller by far.

    Raises InputError if it is no picture.
    """
    try:
        with Image.open(path) as picture:
            size = picture.size
            if path.stat().st_size <= _SMALL_BYTES:
                return path.read_bytes(), "image/png", size
            buffer = io.BytesIO()
            picture.convert("RGB").save(buffer, "WEBP", quality=_QUALITY, method=4)
    except OSError as error:
        raise InputError(
            f"figure {path} cannot be read", given=error, remedy="let the workflow make it again"
        ) from None
    return buffer.getvalue(), "image/webp", size


def _table(item: Item, path: Path) -> str:
    frame = read_table(path) if path.suffix == ".parquet" else read_csv(path)
    note = ""
    if len(frame) > MOST_ROWS:
        note = paragraph(f"The first {MOST_ROWS} of {len(frame):,} rows.", "small")
    return (
        f'<section class="item" id="{item.key}">{_heading(item)}'
        f"<p>{escape(item.caption)}</p>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(item.title)}">'
        f"{frame_table(frame.head(MOST_ROWS))}</div>{note}"
        f'<p class="small"><a href="{escape(item.path)}">{escape(item.path)}</a></p></section>'
    )


def _heading(item: Item) -> str:
    mark = f"<span>{escape(item.number)}</span> " if item.number else ""
    return f"<h3>{mark}{escape(item.title)}</h3>"


def frame_table(frame: pd.DataFrame) -> str:
    """A table of a data frame as HTML: words as they are, numbers to four digits."""
    # A year is a name, not an amount.
    years = [column for column in frame.columns if str(column) == "year"]
    frame = frame.astype(dict.fromkeys(years, "object"))
    numeric = [
        pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
        for kind in frame.dtypes
    ]
    heads = [_head(str(column)) for column in frame.columns]
    head = [number(text) if of else text for text, of in zip(heads, numeric, strict=True)]
    rows: list[Sequence[str | Cell]] = [
        [
            number(number_text(value)) if of else _word(value)
            for value, of in zip(row, numeric, strict=True)
        ]
        for row in frame.itertuples(index=False)
    ]
    return table(head, rows)


_UNITS = {"ha": "ha", "percent": "%", "degrees": "°", "seconds": "s", "mb": "MB"}


def _head(column: str) -> str:
    """A column's name as people read it, its unit in brackets."""
    words = column.split("_")
    found = [k for k, word in enumerate(words) if word in _UNITS and k > 0]
    unit = ""
    if found:
        unit = f" ({_UNITS[words.pop(found[-1])]})"
    text = " ".join(words).replace(" low 95", ", 95 % from").replace(" high 95", ", 95 % to")
    if words[-1] == "se":
        text = " ".join(words[:-1]) + ", standard error"
    return text + unit


def number_text(value: float) -> str:
    """A number to four digits, thousands set apart; nothing for what is not known."""
    if value is None or not np.isfinite(value):
        return "" if value is None or np.isnan(value) else ("∞" if value > 0 else "-∞")
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _word(value: object) -> str | Cell:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    text = "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)
    return Cell(text, "long") if len(text) > _LONG else text

"""A report as one HTML file: map, figures and tables, foot; styles, scripts and pictures inside.

Only the map's tiles lie beside it, as files that <img> can open from a disk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from cropbase.atlas.items import Part
from cropbase.atomic import write_text
from cropbase.pages import paragraph

WEB = files("cropbase") / "web"
_EXPORTS = re.compile(r"\nexport \{([^}]*)\};")


def write_report(
    output: Path,
    *,
    title: str,
    lead: Sequence[str],
    note: str,
    atlas: Mapping[str, Any] | None,
    groups: Sequence[tuple[str, str, Sequence[Part]]],
    absent: str = "",
    foot: str = "",
) -> None:
    """Write the page.

    Parameters
    ----------
    lead : sentences under the title. note : what must be said of the data; "" for nothing.
    atlas : what `atlas.js` draws (`cropbase.atlas.mapdata`); None for a page without a map.
    groups : (anchor, heading, parts) in the order of the page.
    absent : list of what this run does not have, HTML. foot : where it all comes from, HTML.
    """
    body = [
        '<a class="skip" href="#content">Skip to the figures</a>',
        f"<header><h1>{escape(title)}</h1>",
        *([f'<p class="generated" role="note">{escape(note)}</p>'] if note else []),
        *map(paragraph, lead),
        "</header>",
        _contents(groups, with_map=atlas is not None, absent=absent),
        '<main id="content">',
        *([_MAP] if atlas is not None else []),
    ]
    for key, heading, parts in groups:
        if parts:
            inner = "\n".join(part.html for part in parts)
            body.append(f'<section id="{key}"><h2>{escape(heading)}</h2>{inner}</section>')
    if absent:
        body.append(f'<section id="absent"><h2>Not in this run</h2>{absent}</section>')
    body += ["</main>", f'<footer id="foot"><h2>Where this comes from</h2>{foot}</footer>']
    if atlas is not None:
        body += [
            f'<script type="application/json" id="atlas-data">{script_json(atlas)}</script>',
            f"<script>{leaflet_script()}</script>",
            f"<script>{(WEB / 'atlas.js').read_text(encoding='utf-8')}</script>",
        ]
    write_text(
        output, _head(title, with_map=atlas is not None) + "\n".join(body) + "</body></html>\n"
    )


def script_json(value: Mapping[str, Any]) -> str:
    """JSON that no text in it can end the script element that holds it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def leaflet_script() -> str:
    """Leaflet as a script that defines `L`: modules cannot be imported from a disk."""
    source = (WEB / "vendor" / "leaflet" / "leaflet-src.esm.js").read_text(encoding="utf-8")
    found = _EXPORTS.search(source)
    if found is None:
        raise RuntimeError("the shipped Leaflet has no list of exports")
    pairs = [
        (words[-1], words[0])
        for words in (entry.split(" as ") for entry in found[1].strip().split(", "))
    ]
    exported = ", ".join(f"{name}: {inner}" for name, inner in pairs)
    licence = (WEB / "vendor" / "leaflet" / "LICENSE").read_text(encoding="utf-8")
    body = source[: found.start()]
    return f"/*\n{licence}*/\nconst L = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();"


def definitions(entries: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, as HTML; empty ones are left out."""
    inner = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in entries
        if text
    )
    return f"<dl>{inner}</dl>"


def folded(title: str, text: str) -> str:
    """Long text that a reader opens."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def _head(title: str, *, with_map: bool) -> str:
    style = (WEB / "atlas.css").read_text(encoding="utf-8")
    if with_map:
        leaflet = (WEB / "vendor" / "leaflet" / "leaflet.css").read_text(encoding="utf-8")
        # Pictures of controls that this page does not have.
        style = re.sub(r"url\([^)]*\)", "none", leaflet) + style
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>"
    )


def _contents(
    groups: Sequence[tuple[str, str, Sequence[Part]]], *, with_map: bool, absent: str
) -> str:
    lines = ['<li><a href="#map-section">Map</a></li>'] if with_map else []
    for key, heading, parts in groups:
        if not parts:
            continue
        inner = "".join(
            f'<li><a href="#{part.key}">{escape(part.title)}</a></li>' for part in parts
        )
        lines.append(f'<li><a href="#{key}">{escape(heading)}</a><ul>{inner}</ul></li>')
    if absent:
        lines.append('<li><a href="#absent">Not in this run</a></li>')
    lines.append('<li><a href="#foot">Where this comes from</a></li>')
    return (
        '<nav aria-label="Contents"><details id="contents"><summary>Contents</summary>'
        f"<ul>{''.join(lines)}</ul></details></nav>"
    )


_MAP = """<section id="map-section"><h2>Map</h2>
<div class="atlas">
<div id="map" role="region"
 aria-label="Map: arrow keys move, plus and minus zoom, Enter tells of the middle"></div>
<div id="legend" role="group" aria-label="Legend" aria-live="polite"></div>
<form id="panel" aria-label="What the map shows"></form>
</div>
<p id="map-note" role="status"></p>
</section>"""

"""The address of each tile, from the template of a source."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from cropbase.webmercator import quadkey
from croplayer.settings.sources import XyzSource

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_AS_THEY_STAND = "%/:?#[]@!$&'()*+,;=~"
"""Kept in a template: its own escapes and what divides an address."""


class TileAddress:
    """Addresses of the tiles of a source. They hold the API key: never log or store them.

    What is the same for all tiles is escaped and filled in once: there are thousands of addresses a
    second.
    """

    def __init__(self, source: XyzSource, key: str | None) -> None:
        fixed = {"z": str(source.zoom), "key": quote(key or "", safe="")}
        self._parts: list[str | Callable[[int, int], str]] = []
        for place, part in enumerate(_PLACEHOLDER.split(source.url)):
            if place % 2 == 0:
                self._parts.append(quote(part, safe=_AS_THEY_STAND))
            elif part in fixed:
                self._parts.append(fixed[part])
            else:
                self._parts.append(_of_a_tile(part, source))

    def of(self, x: int, y: int) -> str:
        """The address of a tile, escaped; `y` counts from the north."""
        return "".join(part if isinstance(part, str) else part(x, y) for part in self._parts)


def _of_a_tile(name: str, source: XyzSource) -> Callable[[int, int], str]:
    """What fills a placeholder (`settings.sources.URL_PLACEHOLDERS`) for the tile (x, y)."""
    last, zoom = (1 << source.zoom) - 1, source.zoom
    subdomains = [quote(each, safe=_AS_THEY_STAND) for each in source.subdomains]
    fills: dict[str, Callable[[int, int], str]] = {
        "x": lambda x, y: str(x),
        "y": lambda x, y: str(y),
        "-y": lambda x, y: str(last - y),
        "q": lambda x, y: quadkey(zoom, x, y),
        "s": lambda x, y: subdomains[(x + y) % len(subdomains)] if subdomains else "",
    }
    return fills[name]

"""Settings of the imagery sources: web-map tiles, rasters, MBTiles."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, ValidationInfo, field_validator

from cropbase.config import Section

URL_PLACEHOLDERS = ("z", "x", "y", "-y", "q", "s", "key")
"""What may stand in braces in `url`; `-y` counts rows from the south (TMS), `q` is the quadkey."""

SERVER_PLACEHOLDER = "{server}"
"""May begin `url`: scheme, host and port come from the environment variable `server_env`."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KEY_PARAMETERS = {"key", "apikey", "api_key", "token", "access_token", "accesstoken", "ak", "tk"}
_SHA256 = re.compile(r"^[0-9a-f]{64}$")

Datum = Literal["wgs84", "gcj02"]
TileFormat = Literal["jpeg", "png", "webp"]


class _ImagerySource(Section):
    """What every source says about itself."""

    attribution: str = Field(
        "", description="Credit that the provider asks for; kept in every file made of its imagery."
    )
    generated: bool = Field(
        False,
        description="True if the imagery is generated and not observed; written into every file.",
    )


class XyzSource(_ImagerySource):
    """A web-map tile service (XYZ)."""

    kind: Literal["xyz"] = Field("xyz", description="A web-map tile service.")
    api_key_env: str | None = Field(
        None,
        description="Name of the environment variable that holds the API key, e.g. MAPBOX_TOKEN. "
        "Never the key itself.",
    )
    server_env: str | None = Field(
        None,
        description="Name of the environment variable that holds {server}, the beginning of the "
        "url (http://host:port), for a tile server whose place changes from run to run.",
    )
    subdomains: tuple[str, ...] = Field(
        (), description="Values of {s} in the url; tiles are spread over them evenly."
    )
    url: str = Field(
        description="Address of a tile with {z}, {x} and {y} (or {-y} for TMS rows, or {q} for a "
        "quadkey), optionally {s} (subdomain) and {key} (API key from api_key_env)."
    )
    zoom: int = Field(16, ge=0, le=23, description="Zoom level of the tiles.")
    tile_pixels: Literal[256, 512] = Field(256, description="Edge of a tile, pixels.")
    formats: tuple[TileFormat, ...] = Field(
        ("jpeg", "png", "webp"), min_length=1, description="Image formats that are accepted."
    )
    datum: Datum = Field(
        "wgs84",
        description="Datum of the tiles: gcj02 for services that serve China with the published "
        "offset, which the mosaic then undoes.",
    )
    terms_url: str | None = Field(None, description="Where the provider's terms of use are.")
    terms_accepted: bool = Field(
        False,
        description="Set to true after reading the provider's terms of use; nothing is downloaded "
        "before.",
    )
    requests_per_second: float = Field(
        20.0, gt=0, le=10_000, description="Most requests in any second, over all connections."
    )
    daily_quota: int | None = Field(
        None, ge=1, description="Most requests in a day, over all jobs; null for no limit."
    )
    quota_reset_utc_hour: int = Field(
        0, ge=0, le=23, description="Hour of the day, UTC, at which the provider's day begins."
    )
    concurrency: int = Field(16, ge=1, le=512, description="Requests under way at a time.")
    timeout_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Longest time for one attempt, from connecting to last byte.",
    )
    max_attempts: int = Field(8, ge=1, le=100, description="Attempts a tile in one run.")
    initial_backoff_seconds: float = Field(
        1.0, ge=0, le=60, description="Upper bound of the first random wait before a retry."
    )
    max_backoff_seconds: float = Field(
        60.0, ge=0, le=3600, description="Upper bound of any random wait before a retry."
    )
    max_retry_after_seconds: float = Field(
        900.0,
        ge=0,
        le=86_400,
        description="Longest Retry-After of the provider that is waited for; a longer one ends the "
        "job, which resumes later.",
    )
    outage_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="The job ends, resumable, after this long without any good answer.",
    )
    placeholder_sha256: tuple[str, ...] = Field(
        (),
        description="SHA-256 of images that the provider sends in place of imagery ('no data "
        "here'); such tiles are recorded as absent.",
    )
    user_agent: str = Field(
        "croplayer (cropland mapping)", min_length=1, description="User-Agent header of requests."
    )

    @field_validator("api_key_env", "server_env")
    @classmethod
    def _is_variable_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value):
            raise ValueError(
                "this is not the name of an environment variable; write the NAME of the variable "
                "(such as MAPBOX_TOKEN) here and keep the key itself out of every file"
            )
        return value

    @field_validator("url")
    @classmethod
    def _is_template(cls, value: str, info: ValidationInfo) -> str:
        _check_template(value, info.data)
        return value

    @field_validator("placeholder_sha256", mode="after")
    @classmethod
    def _are_digests(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        lowered = tuple(value.lower() for value in values)
        for value in lowered:
            if not _SHA256.match(value):
                raise ValueError(
                    f"{value!r} is not a SHA-256 digest (64 hexadecimal digits, see `sha256sum`)"
                )
        return lowered


class RasterSource(_ImagerySource):
    """Imagery that the user has as georeferenced rasters (GeoTIFF, COG, VRT, ...)."""

    kind: Literal["raster"] = Field("raster", description="Rasters on disk.")
    paths: tuple[str, ...] = Field(
        min_length=1,
        description="Files or patterns with * and ?, environment variables as ${NAME}. Where "
        "files overlap the first in the list wins (files of one pattern in order of name).",
    )
    bands: tuple[int, int, int] = Field(
        (1, 2, 3), description="Band numbers, from 1, of red, green and blue (1, 1, 1 for grey)."
    )
    nodata: float | None = Field(
        None,
        description="A pixel whose three bands all have this value is invalid; null: what the "
        "files themselves say (nodata, mask or alpha).",
    )
    value_range: tuple[float, float] | None = Field(
        None,
        description="Values that become 0 and 255; needed for imagery that is not uint8.",
    )

    @field_validator("bands")
    @classmethod
    def _from_one(cls, values: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(values) < 1:
            raise ValueError("bands are counted from 1")
        return values

    @field_validator("value_range")
    @classmethod
    def _rises(cls, values: tuple[float, float] | None) -> tuple[float, float] | None:
        if values is not None and not values[0] < values[1]:
            raise ValueError("the first value must be less than the second")
        return values


class MbtilesSource(_ImagerySource):
    """Imagery that the user has as an MBTiles file."""

    kind: Literal["mbtiles"] = Field("mbtiles", description="An MBTiles file on disk.")
    path: str = Field(description="The file; environment variables as ${NAME}.")
    zoom: int = Field(16, ge=0, le=23, description="Zoom level to use.")
    tile_pixels: Literal[256, 512] = Field(256, description="Edge of a tile, pixels.")
    datum: Datum = Field("wgs84", description="Datum of the tiles (see XyzSource.datum).")


Source = Annotated[XyzSource | RasterSource | MbtilesSource, Field(discriminator="kind")]
"""One imagery source; `kind` says which."""


def _check_template(url: str, others: dict[str, Any]) -> None:
    """Raise ValueError, in words for a user, unless `url` is a usable template."""
    if url.startswith(SERVER_PLACEHOLDER):
        if "server_env" in others and others["server_env"] is None:
            raise ValueError("the address has {server}, so `server_env` must name the variable")
        url = "http://server" + url.removeprefix(SERVER_PLACEHOLDER)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("the address must begin with http:// or https:// and a host")
    if parts.username or parts.password:
        raise ValueError("no user name or password in the address; use {key} and api_key_env")
    found = _PLACEHOLDER.findall(url)
    rest = _PLACEHOLDER.sub("", url)
    if "{" in rest or "}" in rest:
        raise ValueError("a brace is not closed or not opened")
    unknown = sorted(set(found) - set(URL_PLACEHOLDERS))
    if unknown:
        allowed = ", ".join(f"{{{name}}}" for name in URL_PLACEHOLDERS)
        raise ValueError(f"unknown placeholder {{{unknown[0]}}}; allowed are {allowed}")
    has_xyz = {"z", "x"} <= set(found) and ("y" in found or "-y" in found)
    if not has_xyz and "q" not in found:
        raise ValueError("the address needs {z}, {x} and {y} (or {-y}), or {q}")
    if "s" in found and "subdomains" in others and not others["subdomains"]:
        raise ValueError("the address has {s}, so `subdomains` must list its values")
    if "api_key_env" in others:
        if "key" in found and others["api_key_env"] is None:
            raise ValueError("the address has {key}, so `api_key_env` must name the variable")
        if "key" not in found and others["api_key_env"] is not None:
            raise ValueError("`api_key_env` is set but the address has no {key}")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name.lower() in _KEY_PARAMETERS and value != "{key}":
            raise ValueError(
                f"the parameter '{name}' seems to hold an API key; write {name}={{key}} and name "
                "the environment variable that holds it in `api_key_env`"
            )

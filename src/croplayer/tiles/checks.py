"""Checks of a source before anything is fetched or read."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

import rasterio

from cropbase.errors import ConfigError, DependencyError, InputError
from cropbase.rasters import open_raster
from croplayer.settings.sources import (
    SERVER_PLACEHOLDER,
    MbtilesSource,
    RasterSource,
    XyzSource,
)
from croplayer.tiles.errors import TermsNotAcceptedError
from croplayer.tiles.ledger import TileReader

_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


def check_source(source_name: str, source: XyzSource | RasterSource | MbtilesSource) -> None:
    """Refuse a source that cannot be used as configured.

    Raises
    ------
    TermsNotAcceptedError, DependencyError : the API key is missing; ConfigError, InputError : the
        files. Each names the key of the configuration.
    """
    if isinstance(source, XyzSource):
        check_terms(source_name, source)
        api_key(source_name, source)
    elif isinstance(source, RasterSource):
        for path in raster_paths(source_name, source):
            check_raster(source_name, source, path)
    else:
        path = expand_path(source_name, "path", source.path)
        with TileReader(path, source.zoom) as reader:
            zooms = reader.zooms()
        if source.zoom not in zooms:
            raise InputError(
                f"{path} has no tiles of the zoom level of sources.{source_name}.zoom",
                given=source.zoom,
                allowed=", ".join(map(str, zooms)) or "none: the file is empty",
            )


def check_terms(source_name: str, source: XyzSource) -> None:
    """Raise TermsNotAcceptedError unless the terms of use have been acknowledged."""
    if not source.terms_accepted:
        where = (
            f"the terms of use at {source.terms_url}" if source.terms_url else "its terms of use"
        )
        raise TermsNotAcceptedError(
            f"nothing is downloaded from source '{source_name}' before its terms are accepted",
            given=f"sources.{source_name}.terms_accepted: false",
            remedy=f"read {where}; if they allow your use, set "
            f"sources.{source_name}.terms_accepted to true",
        )


def api_key(source_name: str, source: XyzSource) -> str | None:
    """The API key of a source from the environment; None if it needs none.

    Raises DependencyError, naming the variable and the key of the configuration, if it is not set.
    """
    if source.api_key_env is None:
        return None
    value = os.environ.get(source.api_key_env, "").strip()
    if not value:
        raise DependencyError(
            f"the API key of source '{source_name}' is missing: environment variable "
            f"{source.api_key_env} is not set or empty",
            given=f"sources.{source_name}.api_key_env: {source.api_key_env}",
            remedy=f"get a key from the provider and `export {source.api_key_env}=...` before "
            "running; never write the key into a file of the configuration",
        )
    return value


def with_server(source_name: str, source: XyzSource) -> XyzSource:
    """The source with {server} of its url filled in from the environment.

    Raises DependencyError, naming the variable, if it is not set or holds no address.
    """
    if not source.url.startswith(SERVER_PLACEHOLDER):
        return source
    server = os.environ.get(source.server_env or "", "").strip().rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise DependencyError(
            f"the tile server of source '{source_name}' is unknown: environment variable "
            f"{source.server_env} holds no address",
            given=server or "nothing",
            allowed="http://host:port",
            remedy=f"start the server and `export {source.server_env}=http://host:port` "
            "(`make demo` does both for the generated province)",
        )
    return source.model_copy(update={"url": server + source.url.removeprefix(SERVER_PLACEHOLDER)})


def expand_path(source_name: str, key: str, text: str) -> Path:
    """A path with ~ and environment variables filled in; an unset variable is a ConfigError."""
    missing = [name for name in _VARIABLE.findall(text) if name not in os.environ]
    if missing:
        raise ConfigError(
            f"sources.{source_name}.{key} needs environment variable {missing[0]}, not set now",
            given=text,
            remedy=f"`export {missing[0]}=...`, or write the path itself",
        )
    return Path(os.path.expanduser(os.path.expandvars(text)))


def raster_paths(source_name: str, source: RasterSource) -> list[Path]:
    """The files of a raster source, in their order of precedence, each once.

    Raises InputError if a name or pattern leads to no file.
    """
    found: dict[Path, None] = {}
    for text in source.paths:
        path = expand_path(source_name, "paths", text)
        if path.is_file():
            matches = [path]
        else:
            matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
            matches = [match for match in matches if match.is_file()]
        if not matches:
            raise InputError(
                f"sources.{source_name}.paths leads to no file",
                given=path,
                remedy="check the name or the pattern, relative to where the workflow runs",
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def check_raster(source_name: str, source: RasterSource, path: Path) -> None:
    """Raise InputError unless a raster has a CRS, the bands and a usable type of values."""
    with open_raster(path) as dataset:
        if max(source.bands) > dataset.count:
            raise InputError(
                f"raster {path} lacks a band of sources.{source_name}.bands",
                given=source.bands,
                allowed=f"1 to {dataset.count} ({dataset.count} bands); a grey image is 1, 1, 1",
            )
        dtypes = {dataset.dtypes[band - 1] for band in source.bands}
        if dtypes != {"uint8"} and source.value_range is None:
            raise InputError(
                f"raster {path} is not uint8",
                given=", ".join(sorted(dtypes)),
                remedy=f"set sources.{source_name}.value_range to the values that shall become 0 "
                "and 255, e.g. [0, 3000]",
            )
        if any(name.startswith("complex") for name in dtypes):
            raise InputError(
                f"raster {path} has complex values, which are no imagery",
                given=", ".join(sorted(dtypes)),
                allowed="real values, e.g. uint8 or uint16",
            )
        if dataset.transform.is_degenerate or dataset.transform == rasterio.Affine.identity():
            raise InputError(
                f"raster {path} has no georeference (no position and pixel size)",
                remedy="georeference it, e.g. `gdal_edit.py -a_ullr WEST NORTH EAST SOUTH FILE`",
            )

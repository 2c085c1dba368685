"""Settings of sources: what is refused, in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from cropbase.config import Section, validate
from cropbase.errors import ConfigError, DependencyError, InputError
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.sources import MbtilesSource, RasterSource, Source, XyzSource
from croplayer.tiles import check_source
from croplayer.tiles.address import TileAddress
from croplayer.tiles.checks import api_key, raster_paths
from croplayer.tiles.errors import TermsNotAcceptedError, TileStoreError


class Root(Section):
    sources: dict[str, Source] = Field(description="Sources.")
    mosaic: MosaicSettings = Field(MosaicSettings(), description="Mosaic.")


def message(tmp_path: Path, source: dict[str, Any]) -> str:
    values = {"sources": {"google": source}}
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        validate(Root, values, files=[file])
    assert str(file) in str(caught.value)
    return str(caught.value)


GOOD = "https://{s}.example.com/{z}/{x}/{y}.png?key={key}"


def test_the_kind_chooses_the_settings() -> None:
    root = Root.model_validate(
        {
            "sources": {
                "a": {"kind": "xyz", "url": GOOD, "subdomains": ["a", "b"], "api_key_env": "K"},
                "b": {"kind": "raster", "paths": ["x.tif"]},
                "c": {"kind": "mbtiles", "path": "x.mbtiles"},
            }
        }
    )
    kinds = [type(source) for source in root.sources.values()]
    assert kinds == [XyzSource, RasterSource, MbtilesSource]
    assert root.sources["a"].zoom == 16
    assert not root.sources["a"].terms_accepted


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "https://a.example/{z}/{x}/{y}/{v}"}, "unknown placeholder {v}"),
        ({"url": "https://a.example/{z}/{x}"}, "needs {z}, {x} and {y}"),
        ({"url": "ftp://a.example/{z}/{x}/{y}"}, "must begin with http"),
        ({"url": "https://a.example/{z}/{x}/{y"}, "brace is not closed"),
        ({"url": "https://{s}.example/{z}/{x}/{y}"}, "`subdomains` must list"),
        ({"url": "https://a.example/{z}/{x}/{y}?k={key}"}, "`api_key_env` must name"),
        ({"url": "https://a.example/{z}/{x}/{y}", "api_key_env": "KEY"}, "no {key}"),
        ({"url": "https://a.example/{z}/{x}/{y}?access_token=pk.abc"}, "access_token={key}"),
        ({"url": "https://me:pw@a.example/{z}/{x}/{y}"}, "no user name or password"),
        ({"url": GOOD, "subdomains": ["a"], "api_key_env": "pk.eyJ1"}, "NAME of the variable"),
        ({"url": "https://a.example/{q}", "zoom": 24}, "less than or equal to 23"),
        ({"url": "https://a.example/{q}", "requests_per_second": 0}, "greater than 0"),
        ({"url": "https://a.example/{q}", "daily_quota": 0}, "greater than or equal to 1"),
        ({"url": "https://a.example/{q}", "datum": "bd09"}, "'wgs84' or 'gcj02'"),
        ({"url": "https://a.example/{q}", "placeholder_sha256": ["abc"]}, "not a SHA-256"),
        ({"url": "https://a.example/{q}", "requests_per_secnd": 3}, "did you mean"),
        ({"url": "https://a.example/{q}", "formats": ["gif"]}, "'jpeg', 'png' or 'webp'"),
    ],
)
def test_a_bad_service_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert words in message(tmp_path, {"kind": "xyz", **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"url": GOOD, "subdomains": ["a"], "api_key_env": "pk.planted-key"},
        {"url": "https://a.example/{z}/{x}/{y}?access_token=pk.planted-key"},
        {"url": "https://a.example/{z}/{x}?access_token=pk.planted-key"},
    ],
)
def test_a_key_pasted_into_the_file_is_not_repeated(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert "planted-key" not in message(tmp_path, {"kind": "xyz", **changes})


def test_bad_rasters_and_kinds_are_refused(tmp_path: Path) -> None:
    assert "bands are counted from 1" in message(
        tmp_path, {"kind": "raster", "paths": ["a.tif"], "bands": [0, 1, 2]}
    )
    assert "first value must be less" in message(
        tmp_path, {"kind": "raster", "paths": ["a.tif"], "value_range": [5, 5]}
    )
    assert "paths" in message(tmp_path, {"kind": "raster", "paths": []})
    assert "'xyz', 'raster', 'mbtiles'" in message(tmp_path, {"kind": "wms", "url": "x"})


def test_every_placeholder_is_filled() -> None:
    source = XyzSource(
        url="https://{s}.a.example/{z}/{x}/{y}/{-y}/{q}?k={key}",
        zoom=3,
        subdomains=("a", "b"),
        api_key_env="K",
    )
    address = TileAddress(source, "p/k+1")
    assert address.of(3, 5) == "https://a.a.example/3/3/5/2/213?k=p%2Fk%2B1"
    assert address.of(4, 5).startswith("https://b.")


def test_terms_must_be_accepted() -> None:
    source = XyzSource(url="https://a.example/{q}", terms_url="https://a.example/terms")
    with pytest.raises(TermsNotAcceptedError, match="sources.google.terms_accepted to true") as e:
        check_source("google", source)
    assert "https://a.example/terms" in str(e.value)
    check_source("google", source.model_copy(update={"terms_accepted": True}))


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("TILE_KEY_OF_TEST", raising=False)
    if value is not None:
        monkeypatch.setenv("TILE_KEY_OF_TEST", value)
    source = XyzSource(
        url="https://a.example/{q}?k={key}", api_key_env="TILE_KEY_OF_TEST", terms_accepted=True
    )
    with pytest.raises(DependencyError, match="TILE_KEY_OF_TEST is not set or empty") as caught:
        check_source("mapbox", source)
    assert "sources.mapbox.api_key_env" in str(caught.value)
    monkeypatch.setenv("TILE_KEY_OF_TEST", " secret ")
    assert api_key("mapbox", source) == "secret"


def test_paths_take_variables_patterns_and_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.tif", "a.tif", "c.vrt"):
        (tmp_path / name).touch()
    monkeypatch.setenv("IMAGERY_OF_TEST", str(tmp_path))
    root = "${IMAGERY_OF_TEST}"
    source = RasterSource(paths=(f"{root}/c.vrt", f"{root}/*.tif", f"{root}/a.tif"))
    names = [path.name for path in raster_paths("mine", source)]
    assert names == ["c.vrt", "a.tif", "b.tif"]
    with pytest.raises(InputError, match="sources.mine.paths leads to no file"):
        raster_paths("mine", RasterSource(paths=(f"{root}/*.jp2",)))
    monkeypatch.delenv("IMAGERY_OF_TEST")
    with pytest.raises(ConfigError, match="IMAGERY_OF_TEST"):
        raster_paths("mine", source)


def test_an_mbtiles_source_must_exist(tmp_path: Path) -> None:
    source = MbtilesSource(path=str(tmp_path / "none.mbtiles"))
    with pytest.raises(TileStoreError, match=r"none\.mbtiles does not exist"):
        check_source("mine", source)
    (tmp_path / "none.mbtiles").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(TileStoreError, match="is damaged"):
        check_source("mine", source)

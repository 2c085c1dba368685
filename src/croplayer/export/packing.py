"""County files: shapefiles in one archive, and one GeoParquet; same content, same bytes."""

from __future__ import annotations

import gzip
import json
import logging
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from pyproj import CRS

log = logging.getLogger(__name__)

COLUMNS = ["polygon_id", "county_id", "county", "city", "area_ha"]
SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
MAX_SHAPEFILE_BYTES = 2**31 - 1
"""Shapefile readers address .shp and .dbf with signed 32-bit numbers."""
MAX_NAME_CHARACTERS = 60


def safe_name(text: str) -> str:
    """A name as part of a file name: letters of any script, digits and `-` stay, the rest is _."""
    text = unicodedata.normalize("NFC", text).strip()
    kept = "".join(
        c if c.isalnum() or c == "-" or unicodedata.category(c) in ("Mn", "Mc") else "_"
        for c in text
    )
    return kept[:MAX_NAME_CHARACTERS].strip("_")


def file_names(counties: pd.DataFrame) -> dict[str, str]:
    """File name (without suffix) `cf_<city>_<county>` of each county_id; never the same twice.

    Parameters
    ----------
    counties : county_id, county, city. Where two would share a name (also if only case differs,
        which some file systems ignore), each gets its id at the end, and a warning tells.
    """
    names = {
        row.county_id: "_".join(
            part
            for part in (
                "cf",
                safe_name(row.city),
                safe_name(row.county) or safe_name(row.county_id),
            )
            if part
        )
        for row in counties.itertuples()
    }
    folded = pd.Series({key: name.casefold() for key, name in names.items()}, dtype=object)
    shared = folded[folded.duplicated(keep=False)]
    for index, county_id in enumerate(shared.index, start=1):
        longer = f"{names[county_id]}_{safe_name(county_id)}"
        if longer.casefold() in set(folded.drop(county_id)):
            longer = f"{longer}_{index}"
        log.warning(
            "county %s would share the file name %s with another; it is written as %s",
            county_id,
            names[county_id],
            longer,
        )
        names[county_id] = longer
        folded[county_id] = longer.casefold()
    return names


class ParquetPolygons:
    """GeoParquet 1.0 written a county at a time, so that memory holds one county."""

    def __init__(self, path: Path) -> None:
        geo = {
            "version": "1.0.0",
            "primary_column": "geometry",
            "columns": {
                "geometry": {
                    "encoding": "WKB",
                    "geometry_types": ["Polygon"],
                    "crs": CRS.from_epsg(4326).to_json_dict(),
                    "edges": "planar",
                }
            },
        }
        self._schema = pa.schema(
            [pa.field(name, pa.string()) for name in COLUMNS[:4]]
            + [pa.field("area_ha", pa.float64()), pa.field("geometry", pa.binary())],
            metadata={b"geo": json.dumps(geo, sort_keys=True).encode()},
        )
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, county: gpd.GeoDataFrame) -> None:
        """Append one county's polygons as a row group."""
        if county.empty:
            return
        columns = [pa.array(county[name].tolist(), pa.string()) for name in COLUMNS[:4]]
        columns.append(pa.array(county["area_ha"].to_numpy(), pa.float64()))
        columns.append(pa.array(shapely.to_wkb(county.geometry.to_numpy()), pa.binary()))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Finish the file; without a row it still has its columns."""
        self._writer.close()


@contextmanager
def deterministic_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A .tar.gz without times, users and machine names: the same members give the same bytes."""
    with (
        open(path, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        yield tar


def add_file(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add one file under `name`, with fixed owner, mode and time."""
    member = tarfile.TarInfo(name)
    member.size = path.stat().st_size
    member.mtime = 0
    member.mode = 0o644
    with open(path, "rb") as handle:
        tar.addfile(member, handle)


def add_shapefile(
    tar: tarfile.TarFile,
    county: gpd.GeoDataFrame,
    *,
    folder: str,
    name: str,
    scratch: Path,
    max_bytes: int = MAX_SHAPEFILE_BYTES,
) -> list[str]:
    """Write a county's polygons as a shapefile and add it to the archive; returns the names used.

    A county beyond `max_bytes` (2 GB) becomes `<name>_part1`, `<name>_part2`, ..., and that is
    told; the GeoParquet holds it in one piece.
    """
    parts = _parts_by_size(county, max_bytes)
    names = [name] if len(parts) == 1 else [f"{name}_part{k}" for k in range(1, len(parts) + 1)]
    if len(parts) > 1:
        log.warning(
            "%s is larger than a shapefile can be (2 GB) and is written in %d parts",
            name,
            len(parts),
        )
    for part, part_name in zip(parts, names, strict=True):
        with tempfile.TemporaryDirectory(dir=scratch) as temporary:
            path = Path(temporary) / "county.shp"
            pyogrio.write_dataframe(
                part[[*COLUMNS, "geometry"]],
                path,
                driver="ESRI Shapefile",
                geometry_type="Polygon",
                encoding="UTF-8",
                # The header of a .dbf holds a date: today's would change the bytes every day.
                layer_options={"DBF_DATE_LAST_UPDATE": "1980-01-01"},
            )
            for suffix in sorted(SHAPEFILE_PARTS):
                add_file(tar, path.with_suffix(suffix), f"{folder}/{part_name}{suffix}")
    return names


def _parts_by_size(county: gpd.GeoDataFrame, max_bytes: int) -> list[gpd.GeoDataFrame]:
    """Consecutive rows, each part below `max_bytes` as .shp and as .dbf."""
    geometry = county.geometry.to_numpy()
    if not len(geometry):
        return [county]
    points = shapely.get_num_coordinates(geometry)
    rings = 1 + shapely.get_num_interior_rings(geometry)
    text = sum(
        max(county[name].map(lambda value: len(value.encode())).max(), 1) for name in COLUMNS[:4]
    )
    # .shp record: header 8, type and box 36, counts 8, 4 a ring, 16 a point; .dbf: 24 a number.
    bytes_each = np.maximum(52 + 4 * rings + 16 * points, text + 25)
    part = ((np.cumsum(bytes_each) - 1) // max(max_bytes - 4096, 1)).astype(int)
    return [county[part == k] for k in np.unique(part)]

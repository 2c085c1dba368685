"""A full disk is one message, whatever the library makes of it, and leaves nothing half-written."""

from __future__ import annotations

import errno
import json
import logging
from collections import namedtuple
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import torch
from rasterio.windows import Window
from small_disk import grow, small_disk

from cropbase.atomic import atomic_path, write_json
from cropbase.errors import DiskFullError, InputError
from cropbase.jobs import run_job
from cropbase.rasters import write_cog
from cropbase.tables import write_csv, write_table
from cropbase.vectors import write_geopackage

RNG = np.random.default_rng(20)
IMAGE = RNG.integers(0, 255, (1, 1024, 1024), dtype=np.uint8)
NUMBERS = pd.DataFrame({"a": RNG.random(100_000)})
POINTS = gpd.GeoDataFrame(
    {"a": range(9000)}, geometry=shapely.points(RNG.random((9000, 2))), crs=4326
)
Usage = namedtuple("Usage", "total used free")


def cog(path):
    places = [(row, column) for row in (0, 512) for column in (0, 512)]
    windows = [(Window(c, r, 512, 512), IMAGE[:, r : r + 512, c : c + 512]) for r, c in places]
    size = {"height": 1024, "width": 1024, "bands": 1, "dtype": "uint8"}
    write_cog(path, windows, transform=rasterio.transform.from_origin(112, 24, 1e-4, 1e-4), **size)


def weights(path):
    with atomic_path(path) as temporary:
        torch.save({"x": torch.zeros(200_000)}, temporary)


def same_image(path):
    with rasterio.open(path) as dataset:
        return (dataset.read() == IMAGE).all() and dataset.overviews(1)


# Name of the file, how it is written, whether it is whole.
WRITERS = {
    "raster": ("a.tif", cog, same_image),
    "table": ("a.parquet", lambda p: write_table(NUMBERS, p), lambda p: pd.read_parquet(p).equals(NUMBERS)),
    "text": ("a.csv", lambda p: write_csv(NUMBERS, p), lambda p: len(pd.read_csv(p)) == len(NUMBERS)),
    "layer": ("a.gpkg", lambda p: write_geopackage(POINTS, p), lambda p: len(gpd.read_file(p)) == len(POINTS)),
    "weights": ("a.pt", weights, lambda p: len(torch.load(p)["x"]) == 200_000),
    "json": ("a.json", lambda p: write_json(p, list(range(99_999))), lambda p: len(json.loads(p.read_text())) == 99_999),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_named_and_nothing_half_written_is_left(kind, tmp_path):
    name, write, whole = WRITERS[kind]
    with small_disk(tmp_path / "disk", 64) as disk:
        refused = 0
        for kib in range(64, 6000, 320):
            grow(disk, kib)
            try:
                write(disk / name)
            except DiskFullError as error:
                refused += 1
                assert list(disk.iterdir()) == []
                assert f"the disk is full: {disk / name}" in str(error)
                assert f"free on {disk}" in str(error) and "run the same command again" in str(
                    error
                )
            else:
                break
        assert refused > 0
        assert [path.name for path in disk.iterdir()] == [name] and whole(disk / name)


def test_the_old_file_stays_when_the_new_one_does_not_fit(tmp_path):
    with small_disk(tmp_path / "disk", 128) as disk:
        write_json(disk / "a.json", "old")
        with pytest.raises(DiskFullError):
            write_json(disk / "a.json", list(range(99_999)))
        assert json.loads((disk / "a.json").read_text()) == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_behind_an_error_is_found(number, tmp_path):
    with pytest.raises(DiskFullError), atomic_path(tmp_path / "a"):
        try:
            raise OSError(number, "full")
        except OSError as error:
            raise ValueError("cannot encode") from error


def test_a_failed_write_is_no_full_disk_where_there_is_space(tmp_path, monkeypatch):
    error = rasterio.errors.RasterioIOError("Write failed")
    free = [10**12]
    monkeypatch.setattr("cropbase.disk.shutil.disk_usage", lambda _: Usage(10**13, 0, free[0]))
    with pytest.raises(rasterio.errors.RasterioIOError), atomic_path(tmp_path / "a"):
        raise error
    free[0] = 10**6
    with (
        pytest.raises(DiskFullError, match=r"1\.0 MB of 10000\.0 GB free"),
        atomic_path(tmp_path / "a"),
    ):
        raise error


@pytest.mark.parametrize(
    "error", [InputError("a mistake"), KeyError("x"), PermissionError(13, "no")]
)
def test_other_errors_stay_as_they_are_on_a_nearly_full_disk(error, tmp_path, monkeypatch):
    monkeypatch.setattr("cropbase.disk.shutil.disk_usage", lambda _: Usage(10**9, 0, 0))
    with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "a"):
        raise error
    assert caught.value is error


@pytest.fixture
def root_logger():
    """The handlers of the root logger are as before after the test."""
    before = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = before
    logging.captureWarnings(False)


def test_a_job_says_it_without_a_traceback_though_its_log_is_full_too(
    tmp_path, capsys, root_logger
):
    with small_disk(tmp_path / "disk", 64) as disk:

        def work():
            (disk / "scratch").write_bytes(b"x" * 10**6)

        log, output = [str(disk / "job.log")], [str(tmp_path / "out")]
        job = SimpleNamespace(log=log, output=output, rule="r")
        (disk / "ballast").write_bytes(b"x" * 40_000)
        with pytest.raises(SystemExit) as end:
            run_job(job, work)
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "the disk is full" in said and f"free on {disk}" in said
    assert "Traceback" not in said and "Logging error" not in said

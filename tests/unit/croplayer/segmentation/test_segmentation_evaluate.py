from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.rasters import write_cog
from cropbase.tables import write_table
from croplayer.segmentation import evaluate
from croplayer.segmentation.evaluate import evaluate_pixels


@pytest.fixture(scope="module")
def case(tmp_path_factory, grid):
    """Random masks of two sources in two rasters that overlap, and slanted labels."""
    folder = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(8)
    corner = grid.parse_block_id("E02000N1000")
    window = grid.block_window(corner).buffered(60)
    masks, arrays = {}, {}
    for source in ("a", "b"):
        array = rng.choice(np.array([0, 1, 1, 254, 255], np.uint8), (window.height, window.width))
        arrays[source] = array
        masks[source] = []
        for name, cols in (("west", slice(0, 140)), ("east", slice(120, window.width))):
            part = array[:, cols]
            place = type(window)(window.row, window.col + cols.start, window.height, part.shape[1])
            path = folder / source / f"{name}.tif"
            write_cog(
                path,
                [(Window(0, 0, part.shape[1], window.height), part[None])],
                height=window.height,
                width=part.shape[1],
                bands=1,
                dtype="uint8",
                transform=grid.transform(place),
                nodata=255,
            )
            masks[source].append(path)
    west, south, east, north = grid.window_bounds(window)
    x = lambda t: west + t * (east - west)  # noqa: E731
    y = lambda t: south + t * (north - south)  # noqa: E731
    polygon = lambda *corners: shapely.Polygon([(x(a), y(b)) for a, b in corners])  # noqa: E731
    cropland = [
        polygon((0.11, 0.2), (0.61, 0.13), (0.55, 0.83), (0.2, 0.7)),
        polygon((0.5, 0.4), (0.95, 0.45), (0.9, 0.93)),
    ]
    extents = {
        ("v1", "validation", ""): polygon((0.05, 0.1), (0.45, 0.12), (0.4, 0.9), (0.07, 0.8)),
        ("v2", "validation", "b"): polygon((0.5, 0.3), (0.93, 0.3), (0.93, 0.97), (0.52, 0.9)),
        ("t1", "train", ""): polygon((0.5, 0.05), (0.9, 0.05), (0.9, 0.25)),
    }
    write_table(gpd.GeoDataFrame(geometry=cropland, crs=4326), folder / "polygons.parquet")
    rows = [
        {"extent_id": i, "split": s, "source": c, "geometry": g} for (i, s, c), g in extents.items()
    ]
    write_table(gpd.GeoDataFrame(rows, crs=4326), folder / "extents.parquet")
    transform = grid.transform(window)
    cols, rows_ = np.meshgrid(np.arange(window.width) + 0.5, np.arange(window.height) + 0.5)
    centres = shapely.points(transform.c + cols * transform.a, transform.f + rows_ * transform.e)
    inside = {key: shapely.contains(geometry, centres) for key, geometry in extents.items()}
    truth = np.logical_or.reduce([shapely.contains(c, centres) for c in cropland])
    return folder, masks, arrays, inside, truth


def _counts(array, inside, truth):
    known = inside & (array < 254)
    mapped = array == 1
    return {
        "tp": int((known & mapped & truth).sum()),
        "fp": int((known & mapped & ~truth).sum()),
        "fn": int((known & ~mapped & truth).sum()),
        "tn": int((known & ~mapped & ~truth).sum()),
        "nodata_pixels": int((inside & (array >= 254)).sum()),
    }


def _run(case, grid, **changes):
    folder, masks, *_ = case
    arguments = {
        "masks": masks,
        "polygons": folder / "polygons.parquet",
        "extents": folder / "extents.parquet",
        "grid": grid,
        **changes,
    }
    return evaluate_pixels(**arguments)


def _check(found, expected):
    assert {name: found[name] for name in expected} == expected
    tp, fp, fn = expected["tp"], expected["fp"], expected["fn"]
    assert found["iou"] == pytest.approx(tp / (tp + fp + fn))
    assert found["precision"] == pytest.approx(tp / (tp + fp))
    assert found["recall"] == pytest.approx(tp / (tp + fn))
    assert found["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))


@pytest.mark.parametrize("strip", [4_000_000, 1000])
def test_counts_are_those_of_pixel_centres_one_by_one(case, grid, strip, monkeypatch):
    monkeypatch.setattr(evaluate, "STRIP_PIXELS", strip)
    *_, arrays, inside, truth = case
    result = _run(case, grid)
    pairs = [("v1", "a"), ("v1", "b"), ("v2", "b")]
    assert [(row["extent_id"], row["source"]) for row in result["extents"]] == pairs
    counts = {}
    for row in result["extents"]:
        area = next(area for key, area in inside.items() if key[0] == row["extent_id"])
        counts[row["extent_id"], row["source"]] = _counts(arrays[row["source"]], area, truth)
        _check(row, counts[row["extent_id"], row["source"]])
    add = lambda *rows: {k: sum(row[k] for row in rows) for k in rows[0]}  # noqa: E731
    _check(result["sources"]["a"], counts["v1", "a"])
    _check(result["sources"]["b"], add(counts["v1", "b"], counts["v2", "b"]))
    _check(result["overall"], add(*counts.values()))
    assert result["overall"]["nodata_fraction"] == pytest.approx(0.4, abs=0.05)


def test_train_extents_can_be_measured_too(case, grid):
    assert [row["extent_id"] for row in _run(case, grid, split="train")["extents"]] == ["t1", "t1"]


def test_a_split_without_extents_is_refused(case, grid):
    with pytest.raises(InputError, match="no extent of split 'test'"):
        _run(case, grid, split="test")


def test_an_extent_of_an_unknown_source_is_named(case, grid):
    with pytest.raises(InputError, match=r"extent 'v2'[\s\S]*'b'[\s\S]*allowed: a"):
        _run(case, grid, masks={"a": case[1]["a"]})


def test_masks_elsewhere_are_refused(case, grid):
    folder = case[0]
    extents = gpd.read_parquet(folder / "extents.parquet")
    extents["geometry"] = extents.geometry.translate(xoff=3)
    write_table(extents, folder / "far.parquet")
    with pytest.raises(InputError, match="no pixel of split 'validation' is mapped"):
        _run(case, grid, extents=folder / "far.parquet")

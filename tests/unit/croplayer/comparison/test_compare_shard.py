"""A shard beside a product: counts, areas and structure against numpy and pyproj by brute force."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from croplayer.comparison.shard import compare_shard
from croplayer.grid.inside import pixels_inside
from croplayer.settings.products import ProductRaster

from_lookup = {"in": [5], "unclear": [4], "out": [1, 2, 7]}


@pytest.fixture
def compared(place, catalogue):
    """The place beside a made ESRI product with an unclear class, a fill value and a strange code."""
    path = place.product("49R.tif", [5, 4, 2, 0, 99], pixel=0.0007)

    def run(blocks=None, maps=None):
        output, classes = place.folder / "out.parquet", place.folder / "out.json"
        compare_shard(
            maps=maps or place.maps, files=[path], name="esri",
            product=ProductRaster(**catalogue.products["esri"].raster()),
            blocks=blocks or place.blocks, boundary=place.boundary, grid=place.grid,
            output=output, classes=classes,
        )  # fmt: skip
        return pd.read_parquet(output), json.loads(classes.read_text())

    return run, path


def codes_at_centres(path, place):
    """(128, 128) codes under the pixels' centres."""
    import rasterio

    with rasterio.open(path) as dataset:
        array, own = dataset.read(1), dataset.transform
    k = np.arange(128) + 0.5
    t = place.transform
    rows = np.floor((t.f + k * t.e - own.f) / own.e).astype(int)
    cols = np.floor((t.c + k * t.a - own.c) / own.a).astype(int)
    return array[np.ix_(rows, cols)]


def geodesic_ha(place, mask):
    """Hectares of the True pixels, each as a polygon of geodesics."""
    geod, t = Geod(ellps="WGS84"), place.transform
    total = 0.0
    for row in np.flatnonzero(mask.any(axis=1)):
        box = shapely.box(t.c, t.f + (row + 1) * t.e, t.c + t.a, t.f + row * t.e)
        total += abs(geod.geometry_area_perimeter(box)[0]) * mask[row].sum()
    return total / 1e4


def test_pairs_areas_and_classes_are_those_of_brute_force(place, compared):
    run, path = compared
    table, classes = run()
    assert sorted(table["block_id"]) == sorted(place.grid.block_id(b) for b in place.blocks)
    codes, inside, ours = codes_at_centres(path, place), place.inside(), place.ours
    state = {name: np.isin(codes, values) for name, values in from_lookup.items()}
    crop, other = (ours == 1) & inside, (ours == 0) & inside
    for mine, mask in (("crop", crop), ("other", other)):
        for theirs, there in state.items():
            assert table[f"px_{mine}_{theirs}"].sum() == (mask & there).sum()
            assert table[f"ha_{mine}_{theirs}"].sum() == pytest.approx(
                geodesic_ha(place, mask & there), rel=1e-6
            )
    for column, mask in (
        ("inside_ha", inside),
        ("ours_ha", crop),
        ("ours_unusable_ha", inside & (ours == 254)),
        ("product_in_ha", inside & state["in"]),
        ("product_unclear_ha", inside & state["unclear"]),
        ("product_known_ha", inside & (state["in"] | state["unclear"] | state["out"])),
        ("product_strange_ha", inside & (codes == 99)),
    ):
        assert table[column].sum() == pytest.approx(geodesic_ha(place, mask), rel=1e-6), column
    listed = {entry["code"]: entry for entry in classes["classes"]}
    for code in (5, 4, 2, 99):
        assert listed[code]["px_crop"] == (crop & (codes == code)).sum()
        assert listed[code]["px_other"] == (other & (codes == code)).sum()
    assert listed[99]["name"] is None and 0 not in listed


def test_structure_is_of_the_pixels_that_both_know(place, compared):
    run, path = compared
    table = run()[0].set_index("block_id")
    codes, inside, ours = codes_at_centres(path, place), place.inside(), place.ours
    known = inside & (ours <= 1) & np.isin(codes, [5, 4, 2, 1, 7])
    for block in place.blocks:
        window = place.grid.block_window(block)
        at = window.relative_to(place.window)
        row = table.loc[place.grid.block_id(block)]
        for name, mask in (
            ("ours", ours == 1),
            ("strict", codes == 5),
            ("lenient", np.isin(codes, [4, 5])),
        ):
            crop, valid = (mask & known)[at], known[at]
            around = np.pad(valid & ~crop, 1)
            beside = around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
            assert row[f"af_{name}"] == pytest.approx(crop.sum() / valid.sum())
            assert row[f"ed_{name}"] == pytest.approx((crop & beside).sum() / valid.sum())


def test_a_block_does_not_depend_on_the_shard_it_is_in(place, compared):
    run, _ = compared
    whole = run()[0].sort_values("block_id", ignore_index=True)
    alone = pd.concat([run([block])[0] for block in place.blocks])
    pd.testing.assert_frame_equal(
        whole, alone.sort_values("block_id", ignore_index=True), check_exact=True
    )


def test_pixels_inside_are_those_whose_centre_lies_inside(place):
    found = pixels_inside(place.boundary, place.grid, place.window)
    assert (found == place.inside()).all()

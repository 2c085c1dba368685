from __future__ import annotations

import geopandas as gpd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cropbase.errors import InputError
from croplayer.segmentation.comparison.folds import with_fold_held_out

GEOD = Geod(ellps="WGS84")


def extents(places, size=0.01):
    shapes = [shapely.box(x, y, x + size, y + size) for x, y in places]
    names = [f"e{number:02d}" for number in range(len(shapes))]
    return gpd.GeoDataFrame({"extent_id": names, "split": "train"}, geometry=shapes, crs=4326)


def held_out(table, folds, apart_m=0.0):
    return [
        set(found.loc[found["split"] == "validation", "extent_id"])
        for found in (
            with_fold_held_out(table, folds=folds, fold=k, apart_m=apart_m) for k in range(folds)
        )
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=6, max_size=20, unique=True
    ),
    st.integers(2, 4),
)
def test_every_extent_is_held_out_once_and_neighbours_together(cells, folds):
    table = extents([(100 + x * 0.02, 40 + y * 0.02) for x, y in cells])
    apart = 3000.0
    try:
        parts = held_out(table, folds, apart)
    except InputError as error:
        assert "more folds than groups" in str(error)
        return
    assert sum(map(len, parts)) == len(table)
    assert set.union(*parts) == set(table["extent_id"])
    fold_of = {name: k for k, part in enumerate(parts) for name in part}
    for one in table.itertuples():
        for other in table.itertuples():
            if fold_of[one.extent_id] != fold_of[other.extent_id]:
                line = shapely.shortest_line(one.geometry, other.geometry)
                (x1, y1), (x2, y2) = line.coords
                assert GEOD.inv(x1, y1, x2, y2)[2] > apart * 0.99


def test_folds_do_not_depend_on_the_order_of_the_table():
    table = extents([(100 + 0.1 * k, 40) for k in range(7)])
    assert held_out(table, 3) == held_out(table.sample(frac=1, random_state=1), 3)
    assert sorted(map(len, held_out(table, 3))) == [2, 2, 3]


def test_one_place_in_two_sources_stays_together():
    table = extents([(100, 40), (100.2, 40), (100.4, 40)])
    table.loc[2, "extent_id"] = "e00"
    parts = held_out(table, 2)
    assert sorted(map(sorted, parts)) == [["e00"], ["e01"]]


def test_too_many_folds_are_refused():
    with pytest.raises(InputError, match=r"more folds than groups[\s\S]*3 folds, 2 groups"):
        with_fold_held_out(extents([(100, 40), (101, 40)]), folds=3, fold=0, apart_m=0)

"""What the generated annotator hands in."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio import features


@pytest.fixture(scope="module")
def cropland(small):
    return gpd.read_file(small.folder / "labels" / "cropland.gpkg")


@pytest.fixture(scope="module")
def extents(small):
    return gpd.read_file(small.folder / "labels" / "extents.gpkg")


def test_extents_have_the_attributes_of_the_contract(extents):
    assert {"extent_id", "split", "source", "annotator", "labelled_at"} <= set(extents.columns)
    assert extents.crs.to_epsg() == 4326
    assert set(extents["annotator"]) == {"generated"}
    assert extents["extent_id"].is_unique
    assert extents["split"].value_counts().to_dict() == {"train": 6, "validation": 3}


def test_training_and_validation_lie_in_different_blocks(extents):
    train = set(extents.loc[extents["split"] == "train", "block_id"])
    validation = set(extents.loc[extents["split"] == "validation", "block_id"])
    assert train
    assert validation
    assert not train & validation


def test_extents_lie_in_their_block_and_do_not_meet(small, extents):
    for row in extents.itertuples():
        block = small.grid.polygon(small.grid.parse_block_id(row.block_id))
        assert block.contains(row.geometry)
    first, second = extents.sindex.query(extents.geometry, predicate="intersects")
    assert (first == second).all()


def test_extents_avoid_blocks_that_no_one_can_see(small, extents):
    import pandas as pd

    table = pd.read_csv(small.folder / "labels" / "coverage.csv")
    bad = table[~table["coverage_type"].isin(["planting", "non_planting"])]
    hidden = set(zip(bad["block_id"], bad["source"], strict=True))
    for row in extents.itertuples():
        for source in [row.source] if row.source else small.settings.sources:
            assert (row.block_id, source) not in hidden


def test_most_blocks_have_no_labels_and_one_extent_is_negative(small, extents, cropland):
    province = gpd.read_file(small.folder / "province.gpkg").geometry[0]
    blocks = small.grid.blocks_touching(province)
    assert extents["block_id"].nunique() <= 0.45 * len(blocks)
    empty = set(extents["extent_id"]) - set(cropland["extent_id"])
    assert empty == set(extents.loc[extents["stratum"] == "negative", "extent_id"])
    assert empty


def test_polygons_are_valid_inside_their_extent_and_never_overlap(cropland, extents):
    assert cropland.is_valid.all()
    assert (cropland.geom_type == "Polygon").all()
    squares = extents.set_index("extent_id").geometry
    for row in cropland.itertuples():
        assert squares[row.extent_id].buffer(1e-9).contains(row.geometry)
    first, _ = cropland.sindex.query(cropland.geometry, predicate="overlaps")
    assert len(first) == 0


def test_polygons_agree_with_the_truth_but_not_to_the_pixel(small, cropland, extents):
    with rasterio.open(small.folder / "truth.tif") as dataset:
        truth, transform = dataset.read(1), dataset.transform
    drawn = features.rasterize(cropland.geometry, truth.shape, transform=transform)
    seen = features.rasterize(extents.geometry, truth.shape, transform=transform) == 1
    both = np.count_nonzero(seen & (drawn == 1) & (truth == 1))
    either = np.count_nonzero(seen & ((drawn == 1) | (truth == 1)))
    assert 0.95 < both / either < 1

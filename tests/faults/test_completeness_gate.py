"""A block taken from the product of any stage is named by the stage after it, with the command."""

from __future__ import annotations

import pytest
from fault_shard import STAGES, Shard, without_last_block

from faults import end_of_job, refuse

PRODUCTS = {
    "build_mosaic": ("mosaic_a.tif", ["assess_quality", "segment_shard"]),
    "assess_quality": ("quality_a.parquet", ["measure_features"]),
    "measure_terrain": ("terrain.parquet", ["measure_features"]),
    "segment_shard": (
        "mask_b.tif", ["measure_features", "integrate_shard", "validate_province"],
    ),
    "measure_features": ("features.parquet", ["classify_semantic", "choose_options"]),
    "classify_semantic": ("classes.parquet", ["choose_options"]),
    "choose_options": ("options.parquet", ["integrate_shard"]),
    "integrate_shard": ("map.tif", ["compare_shard", "validate_province", "export_counties"]),
}  # fmt: skip
"""Stage -> what it makes, and who reads that."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return Shard(tmp_path_factory.mktemp("template") / "w").folder


@pytest.mark.parametrize(
    ("stage", "reader"), [(s, reader) for s, (_, readers) in PRODUCTS.items() for reader in readers]
)
def test_a_lost_block_is_named_with_the_command_that_mends_it(tmp_path, template, stage, reader):
    bench = Shard(tmp_path / "w", template)
    without_last_block(PRODUCTS[stage][0])(bench)
    bench.stage = reader
    words = [f"of {stage}", "lacks ", "N2400", f"`snakemake --forcerun {stage}`"]
    refuse(end_of_job(bench), words, out=bench.out)


@pytest.mark.parametrize("stage", STAGES)
def test_with_every_block_there_each_stage_passes(tmp_path, template, stage):
    bench = Shard(tmp_path / "w", template)
    bench.stage = stage
    ending = end_of_job(bench)
    assert ending.code == 0, ending.shown
    assert list(bench.out.iterdir())

"""A block taken from the product of any stage is named by the stage after it, with the command."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from alloc_stages import Stages
from fault_bench import end_of_command, end_of_job, refuse
from fault_shard import STAGES, Shard, without_last_block
from tiny_case import TinyCase, generate

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


# --------------------------------------------------------------------------- crop maps of a case
def lost_row(name):
    """The last row of a table is lost."""

    def spoil(home):
        path = home / name
        table = pd.read_parquet(path)
        table.iloc[:-1].to_parquet(path, index=False)

    return spoil


def lost_target(home):
    """All systems of one target and crop are lost."""
    path = home / "systems/areas.parquet"
    table = pd.read_parquet(path)
    first = table.iloc[0]
    lost = (table["target_id"] == first["target_id"]) & (table["crop"] == first["crop"])
    table[~lost].to_parquet(path, index=False)


CASE_PRODUCTS = {
    "combine_cropland": (lost_row("synergy/2020.parquet"), ["score_suitability", "select_cells"], "cell "),
    "score_suitability": (lost_row("scores/2020.parquet"), ["allocate"], "cell "),
    "classify_systems": (lost_target, ["select_cells", "allocate"], "target "),
    "allocate": (lost_row("allocation/2020/001/areas.parquet"), ["write_maps"], "on the map"),
}  # fmt: skip


@pytest.fixture(scope="module")
def allocated(tmp_path_factory):
    """A case that has run up to its allocation."""
    folder = tmp_path_factory.mktemp("case")
    case = TinyCase(folder / "w", generate(folder))
    case.stages().run(until="allocate")
    return case


@pytest.mark.parametrize(
    ("stage", "reader"), [(s, r) for s, (_, readers, _) in CASE_PRODUCTS.items() for r in readers]
)
def test_a_lost_cell_or_target_is_named_with_the_command(tmp_path, allocated, stage, reader):
    spoil, _, word = CASE_PRODUCTS[stage]
    stages = allocated.stages()
    home = shutil.copytree(allocated.home, tmp_path / "tiny")
    spoil(home)
    stages = Stages(stages.case, home, stages.crops)
    for path in stages.outputs(reader):
        path.unlink()
    refuse(
        end_of_command(lambda: stages.run_one(reader)), [word, f"`snakemake --forcerun {stage}`"]
    )
    # The account of the maps is written all the same: it shows where the hectares are lost.
    assert reader == "write_maps" or stages.outputs(reader) == []

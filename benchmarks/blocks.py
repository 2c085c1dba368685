"""Measuring and polygonising one block beside scikit-image, rasterio and shapely; see `--help`.

Each row says whether its mask is generated or cut from real data. Both sides get the same mask in
this run, repeats interleaved, the least of each in seconds of the processor (both use one core);
ratios are peer seconds by our seconds, compilation left out (numba keeps it on disk after the first
run). The shard is measured by
`croplayer.blocks.features.measure_features` as the workflow does it, rasters on disk and all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from block_masks import REAL, SIZE, generated_fields, generated_patches
from block_measures import equal_regions, measure_block, peer_measures, second_source
from block_polygons import BlockPolygons
from block_shard import write_shard
from rows import parse_options, race, row, run_cases

from croplayer.grid import BlockGrid

SEED = 20
GRID = BlockGrid(0.05, SIZE, 1.0)
BLOCK = GRID.block_at(112.02, 24.02)
TRANSFORM = GRID.transform(GRID.block_window(BLOCK))
MEASURES_BAR, POLYGONS_BAR, BLOCK_MIB, SHARD_GROWTH = 10.0, 3.0, 300.0, 1.2


def main() -> None:
    options = parse_options(__doc__, full="ten minutes")
    masks: dict[str, Callable[[], np.ndarray]] = {
        "generated small fields": lambda: generated_fields(seed=SEED),
        "generated ragged patches": lambda: generated_patches(seed=SEED),
    }
    absent = set()
    for name, (needed, cut) in REAL.items():
        masks[name] = lambda cut=cut: cut(options.data_root)
        if not (options.data_root / needed).exists():
            absent.add(name)
    repeats = 5 if options.full else 2
    cases: dict[str, Callable[[], dict | None]] = {}
    for name, mask in masks.items():
        if not options.full and name in ("generated ragged patches", "WorldCover enlarged"):
            continue
        for case in (measures, polygons):
            cases[f"{case.__name__} {name}"] = lambda case=case, name=name, mask=mask: (
                None if name in absent else case(name, mask(), repeats)
            )
    cases["memory of a block"] = memory_of_a_block
    cases["shard"] = lambda: shards(*((10, 20) if options.full else (2, 3)))
    packages = ("numpy", "scipy", "numba", "scikit-image", "rasterio", "shapely")
    run_cases(cases, options, seed=SEED, packages=packages)


def measures(name: str, mask: np.ndarray, repeats: int) -> dict:
    """Every measure of a block: n, area, area fraction, solidity, Euler number, ED, IoU."""
    other, valid = second_source(mask), np.ones(mask.shape, dtype=bool)
    measure_block(mask, other, valid, TRANSFORM)  # compiles
    ours, peer, found, expected = race(
        lambda: measure_block(mask, other, valid, TRANSFORM),
        lambda: peer_measures(mask, other, valid, TRANSFORM),
        repeats=repeats,
        clock=time.process_time,
    )
    same = equal_regions(mask) and all(
        np.isclose(found[key], expected[key], rtol=1e-12, atol=0) for key in expected
    )
    ratio = peer / ours
    return row(
        f"all measures of a block, {name}", ours, peer, MEASURES_BAR,
        same and ratio >= MEASURES_BAR, int(found["n_regions"]), ratio=ratio,
        note=f"{int(found['n_regions'])} regions, cropland {found['af']:.2f} of the block, edge "
        f"density {found['edge_density']:.3f}; values {'equal' if same else 'DIFFER'}",
    )  # fmt: skip


def polygons(name: str, mask: np.ndarray, repeats: int) -> dict:
    """Valid polygons of a block with holes and hectares, beside shapes + simplify a polygon."""
    block = BlockPolygons(GRID, BLOCK, mask)
    block.ours()  # compiles
    ours, peer, found, theirs = race(
        block.ours, block.peer, repeats=max(repeats, 3), clock=time.process_time
    )
    faults, peer_faults = block.faults(found.polygons), block.faults(theirs)
    whole = not any(faults.values()) and len(found.polygons) == len(theirs)
    ratio = peer / ours
    return row(
        f"polygons of a block, {name}", ours, peer, POLYGONS_BAR,
        whole and ratio >= POLYGONS_BAR, len(found.polygons), ratio=ratio,
        note=f"{len(found.polygons)} polygons, {block.vertices(found.polygons)} vertices (peer "
        f"{block.vertices(theirs)}); ours {words(faults)}; peer {words(peer_faults)}",
    )  # fmt: skip


def words(faults: dict[str, int]) -> str:
    """`2 invalid, 0 overlapping`."""
    return ", ".join(f"{count} {what}" for what, count in faults.items())


def memory_of_a_block() -> dict:
    """Peak memory of a process that measures one generated block, interpreter and all."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "mask.npy"
        np.save(path, generated_fields(seed=SEED))
        peak = in_a_new_process("block_measures.py", path)["peak_mib"]
    return row(
        "memory of all measures of a block, generated small fields", peak, None, BLOCK_MIB,
        peak <= BLOCK_MIB, SIZE, unit="MiB", note="peak of the whole process, Python included",
    )  # fmt: skip


def shards(small: int, large: int) -> list[dict]:
    """Features of shards of generated blocks, two sources, by all cores: seconds and memory."""
    cores = os.cpu_count()
    with write_shard(GRID, large, seed=SEED) as folder:
        first, second = (
            in_a_new_process("block_shard.py", folder, side, cores) for side in (small, large)
        )
    ratio = second["peak_mib"] / first["peak_mib"]
    seconds = second["seconds"]
    return [
        row(
            f"features of a shard of {large**2} blocks, two generated sources, all cores",
            seconds, None, None, True, large**2,
            note=f"of the clock, reading from disk and other work of the machine included; "
            f"{second['cpu_seconds'] / large**2 * 1000:.0f} ms of a core a block and two sources",
        ),
        row(
            f"memory of a shard of {large**2} blocks, by one of {small**2}", second["peak_mib"],
            first["peak_mib"], SHARD_GROWTH, ratio <= SHARD_GROWTH, large**2, unit="MiB",
            ratio=ratio, note="peaks of whole processes, all cores; the bar is an upper one",
        ),
    ]  # fmt: skip


def in_a_new_process(script: str, *arguments) -> dict:
    """What a script of this folder prints as JSON, run where no other memory is counted."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


if __name__ == "__main__":
    main()

"""Planning a whole country: the DAG of all provinces of China as a dry run; see `--help`.

`snakemake -n --config nations=china` in an empty folder: all 34 provinces, both sources, from the
tiles to the county files, with the profile for one machine. The boundaries are the real ones (read
from the data root); the labels, which a real run needs as well, are one generated polygon and one
generated row a province and kind, the DEM an empty file: a dry run asks whether they exist, not
what they hold. Seconds of the processor (snakemake uses one core) and the peak memory are those of
the whole process. `--quick` plans one small province.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import shapely

sys.path.insert(0, str(Path(__file__).parent))
from rows import parse_options, row, run_cases

from cropbase.config import DATA_ROOT_VARIABLE
from croplayer.settings import provinces_of

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG = REPOSITORY / "config"
BOUNDARIES = {
    "boundaries/chn_admin_level1": "china/boundaries_province_prefecture/chn_admin_level1",
    "boundaries/china_county": "china/boundaries_county/china_county",
}
SECONDS_BAR, GIB_BAR = 60.0, 1.5
FIELD = shapely.box(112.01, 24.01, 112.02, 24.02)
WINDOWS = [shapely.box(112.0, 24.0, 112.03, 24.03), shapely.box(112.06, 24.06, 112.09, 24.09)]
TABLES = {
    "coverage": "block_id,source,coverage_type\nE11200N2400,google,planting\n",
    "semantic": "block_id,source,semantic_class\nE11200N2400,google,TP\n",
    "options": "block_id,option\nE11200N2400,both\n",
}


def main() -> None:
    options = parse_options(__doc__, full="a minute")
    if options.full:
        names = provinces_of("china", CONFIG)
        words = ["nations=china"]
    else:
        names = ["beijing"]
        words = ["provinces=beijing"]
    cases = {"dry run": lambda: dry_run(names, words, options.data_root)}
    run_cases(cases, options, seed=0, packages=("snakemake", "geopandas", "shapely"))


def dry_run(names: list[str], words: list[str], real: Path) -> list[dict] | None:
    """Rows of seconds and of memory of one dry run; None where there are no boundaries."""
    if not (real / "china").is_dir():
        return None
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "data"
        make_data_root(root, names, real)
        load = os.getloadavg()[0]
        used, wall, output = plan(Path(scratch) / "run", root, words)
    jobs, shards = count(output, "total"), count(output, "integrate_shard")
    seconds = used.ru_utime + used.ru_stime
    gib = used.ru_maxrss / 2**20  # of this process, were it larger
    what = f"{len(names)} provinces, {shards} shards, two sources"
    return [
        row(f"dry run of {what}", seconds, None, SECONDS_BAR, seconds <= SECONDS_BAR, jobs,
            note=f"{jobs} jobs; {wall:.0f} s of the clock, load average {load:.1f}"),
        row(f"memory of the dry run of {what}", gib, None, GIB_BAR, gib <= GIB_BAR, jobs,
            unit="GiB"),
    ]  # fmt: skip


def make_data_root(root: Path, names: list[str], real: Path) -> None:
    """The real boundaries under the names of config/nations/china.yaml, and generated labels."""
    for name, source in BOUNDARIES.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for file in (real / source).parent.glob(f"{Path(source).name}.*"):
            target.with_suffix(file.suffix).symlink_to(file.resolve())
    (root / "dem").mkdir()
    (root / "dem" / "empty.tif").touch()
    for name in names:
        folder = root / "labels" / name
        folder.mkdir(parents=True)
        layer({"class": ["paddy"]}, [FIELD]).to_file(folder / "cropland.gpkg")
        columns = {"extent_id": ["a", "b"], "split": ["train", "validation"]}
        layer(columns, WINDOWS).to_file(folder / "extents.gpkg")
        for table, text in TABLES.items():
            (folder / f"{table}.csv").write_text(text, encoding="utf-8")


def layer(columns: dict, shapes: list[shapely.Polygon]) -> gpd.GeoDataFrame:
    """Polygons in EPSG:4326 with their attributes."""
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=4326)


def plan(folder: Path, root: Path, words: list[str]) -> tuple[resource.struct_rusage, float, str]:
    """What a dry run in a new folder used, its seconds of the clock, and its output."""
    command = [
        *(sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1"),
        *("--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)),
        *("--workflow-profile", str(REPOSITORY / "workflow" / "profiles" / "local")),
        *("--config", *words, f"config_folder={CONFIG}"),
    ]
    begin = time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, DATA_ROOT_VARIABLE: str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"the dry run failed:\n{done.stdout[-3000:]}")
    return resource.getrusage(resource.RUSAGE_CHILDREN), seconds, done.stdout


def count(output: str, rule: str) -> int:
    """Number of jobs of a rule, from the table that snakemake prints."""
    found = re.search(rf"^{rule}\s+(\d+)$", output, re.MULTILINE)
    if not found:
        raise SystemExit(f"snakemake counted no jobs of {rule}:\n{output[-3000:]}")
    return int(found[1])


if __name__ == "__main__":
    main()

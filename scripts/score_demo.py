"""Rule score_demo: the final map of the generated province against its true cropland."""

from pathlib import Path

from cropbase.atomic import write_json
from cropbase.jobs import run_job
from croplayer.demo.interpreter import score_map
from croplayer.settings.grid import GridSettings

run_job(
    snakemake,
    lambda: write_json(
        snakemake.output.score,
        score_map(
            maps=[Path(path) for path in snakemake.input.maps],
            truth=Path(snakemake.input.truth),
            blocks=Path(snakemake.input.blocks),
            extents=Path(snakemake.input.extents),
            grid=GridSettings(**snakemake.params.grid).grid(),
        ),
    ),
)

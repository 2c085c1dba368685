"""Rule preview_nation: the plans of a nation's provinces added up."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.nation import write_nation_plan

run_job(
    snakemake,
    lambda: write_nation_plan(
        title=snakemake.wildcards.nation.replace("_", " ").title(),
        previews=[Path(path) for path in snakemake.input.previews],
        table=Path(snakemake.output.table),
        page=Path(snakemake.output.page),
    ),
)

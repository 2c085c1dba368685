"""Rule plot_definitions: what each product calls cropland."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.definitions import plot_definitions

run_job(
    snakemake,
    lambda: plot_definitions(
        catalogue=Path(snakemake.input.catalogue),
        compared=snakemake.params.compared,
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title="What is cropland?",
        mark=snakemake.params.mark,
    ),
)

"""Rule plot_areas: cropland area against the official figure."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.areas import plot_areas

run_job(
    snakemake,
    lambda: plot_areas(
        province_json=Path(snakemake.input.province),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)

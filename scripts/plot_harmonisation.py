"""Rule plot_harmonisation: how far the levels were from each other."""

from pathlib import Path

from cropalloc.report.harmonisation import plot_harmonisation
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: plot_harmonisation(
        audit=Path(snakemake.input.audit),
        nodes=Path(snakemake.input.nodes),
        targets=Path(snakemake.input.targets),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)

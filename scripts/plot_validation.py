"""Rule plot_validation: allocated and reported area, a crop a panel (as Fig. 5)."""

from pathlib import Path

from cropalloc.validation.figures import plot_validation
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: plot_validation(
        pairs=Path(snakemake.input.pairs),
        metrics=Path(snakemake.input.metrics),
        output=Path(snakemake.output.figure),
        title=f"{snakemake.params.title}, {snakemake.wildcards.year}",
        note=snakemake.params.note,
    ),
)

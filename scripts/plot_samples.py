"""Rule plot_samples: the labelled blocks on a map."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.samples import plot_samples

run_job(
    snakemake,
    lambda: plot_samples(
        blocks=[Path(path) for path in snakemake.input.blocks],
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)

"""Rule plot_rounds: the three levels over the rounds."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.rounds import plot_rounds

run_job(
    snakemake,
    lambda: plot_rounds(
        records=[Path(snakemake.input.record), *(row["path"] for row in snakemake.params.others)],
        output=Path(snakemake.output.figure),
        table=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)

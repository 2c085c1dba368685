"""Rule plot_close_ups: the allocation at a few places, beside baselines and products."""

from pathlib import Path

from cropalloc.report.close_ups import plot_close_ups
from cropalloc.settings.validation import ValidationSettings
from cropbase.jobs import run_job


def work():
    placed = {
        name: [Path(path) for path in snakemake.input[name]]
        for name in snakemake.params.contestants
    }
    plot_close_ups(
        cells=Path(snakemake.input.cells),
        selected=Path(snakemake.input.selected),
        areas=placed,
        products=ValidationSettings(**snakemake.params.validation).products,
        output=Path(snakemake.output.figure),
        title=f"{snakemake.params.title}, {snakemake.wildcards.year}",
        note=snakemake.params.note,
    )


run_job(snakemake, work)

"""Rule plot_crops: the maps of the largest crops."""

from pathlib import Path

from cropalloc.report.crops import plot_crops
from cropalloc.settings.maps import MapSettings
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: plot_crops(
        folder=Path(snakemake.input.folder),
        account=Path(snakemake.input.account),
        maps=MapSettings(**snakemake.params.maps),
        year=int(snakemake.wildcards.year),
        output=Path(snakemake.output.figure),
        title=f"{snakemake.params.title}, {snakemake.wildcards.year}",
        note=snakemake.params.note,
    ),
)

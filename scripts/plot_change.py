"""Rule plot_change: shares of the crops over the years, and how their ellipses moved."""

from pathlib import Path

from cropalloc.change.figures import plot_change, plot_shares
from cropalloc.export.names import find_maps
from cropalloc.settings.maps import MapSettings
from cropbase.jobs import run_job


def work():
    words = {"title": snakemake.params.title, "note": snakemake.params.note}
    plot_shares(shares=Path(snakemake.input.shares), output=Path(snakemake.output.shares), **words)
    last = snakemake.params.years[-1]
    plot_change(
        ellipses=Path(snakemake.input.ellipses),
        profiles=Path(snakemake.input.profiles),
        maps=find_maps(
            snakemake.input.folders[-1], MapSettings(**snakemake.params.maps), year=last
        ),
        output=Path(snakemake.output.change),
        **words,
    )


run_job(snakemake, work)

"""Rule write_maps: GeoTIFFs of harvested area, and the account of every hectare."""

from pathlib import Path

from cropalloc.export.maps import write_maps
from cropalloc.settings.maps import MapSettings
from cropbase.jobs import run_job

values = dict(snakemake.params.maps)
values["note"] = values["note"] or snakemake.params.note

run_job(
    snakemake,
    lambda: write_maps(
        cells=Path(snakemake.input.cells),
        areas=[Path(path) for path in snakemake.input.areas],
        targets=Path(snakemake.input.targets),
        members=Path(snakemake.input.members),
        systems_areas=Path(snakemake.input.systems),
        slack=[Path(path) for path in snakemake.input.slack],
        maps=MapSettings(**values),
        year=int(snakemake.wildcards.year),
        folder=Path(snakemake.output.folder),
        account_path=Path(snakemake.output.account),
        known_for=snakemake.params.known_for,
    ),
)

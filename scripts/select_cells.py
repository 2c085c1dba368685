"""Rule select_cells: demand against land, and promotion to the maximum."""

from cropalloc.selection.select import select_cells
from cropalloc.settings.selection import SelectionSettings
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: select_cells(
        cells=snakemake.input.cells,
        synergy=snakemake.input.synergy,
        areas=snakemake.input.areas,
        members=snakemake.input.members,
        units=snakemake.input.units,
        selection=SelectionSettings(**snakemake.params.selection),
        known_for=snakemake.params.known_for,
        year=int(snakemake.wildcards.year),
        selected_path=snakemake.output.selected,
        consistency_path=snakemake.output.consistency,
    ),
)

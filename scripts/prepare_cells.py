"""Rule prepare_cells: the allocation grid and its units."""

from cropalloc.grid.prepare import prepare_cells
from cropalloc.settings.grid import AllocationGridSettings
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: prepare_cells(
        units=snakemake.input.units,
        grid=AllocationGridSettings(**snakemake.params.grid),
        cells_path=snakemake.output.cells,
        findings_path=snakemake.output.findings,
    ),
)

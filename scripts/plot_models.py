"""Rule plot_models: held-out extents as every compared model maps them."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.segmentation.comparison.plate import plot_plate
from croplayer.segmentation.comparison.run import Data
from croplayer.settings.grid import GridSettings

run_job(
    snakemake,
    lambda: plot_plate(
        predictions={
            Path(path).parents[1].name: Path(path) for path in snakemake.input.predictions
        },
        data=Data(
            mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
            polygons=Path(snakemake.input.polygons),
            extents=Path(snakemake.input.split[0]),
            grid=GridSettings(**snakemake.params.grid).grid(),
        ),
        threshold=snakemake.params.threshold,
        most=snakemake.params.most,
        output=Path(snakemake.output.figure),
        title=f"Held-out extents: {snakemake.params.title}",
        note=snakemake.params.note,
    ),
)

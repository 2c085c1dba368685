"""Rule assess_reference: every map judged by the reference sample."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.comparison.accuracy import assess_reference
from croplayer.comparison.download import listed_files
from croplayer.settings.grid import GridSettings
from croplayer.settings.products import Definition, Product
from croplayer.settings.regions import region_of

params = snakemake.params
points, strata = snakemake.input.sample

run_job(
    snakemake,
    lambda: assess_reference(
        maps=[Path(path) for path in snakemake.input.maps],
        products={name: Product(**entry) for name, entry in params.products.items()},
        files={name: listed_files(files) for name, files in params.files.items()},
        own_definition=Definition(**params.own_definition),
        points=Path(points),
        strata=Path(strata),
        boundary=region_of(params.province),
        grid=GridSettings(**params.grid).grid(),
        accuracy_csv=Path(snakemake.output.accuracy),
        groups_csv=Path(snakemake.output.groups),
    ),
)

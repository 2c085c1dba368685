"""Rule province_report: the province on one page, with the tiles of its map beside it."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.atlas.report import Results, write_province_report
from croplayer.settings.grid import GridSettings
from croplayer.settings.products import Product

given, params = snakemake.input, snakemake.params
STAGES = ("coverage", "segmentation", "semantic", "integration")


def paths(files):
    return [Path(path) for path in files]


run_job(
    snakemake,
    lambda: write_province_report(
        Results(
            blocks=Path(given.blocks),
            known=Path(given.known),
            mosaics=by_source(given.mosaics, params.sources),
            masks=by_source(given.masks, params.sources),
            maps=paths(given.maps),
            quality=by_source(given.quality, params.sources),
            features=paths(given.features),
            semantic=Path(given.semantic),
            options=Path(given.options),
            extents=Path(given.extents),
            lock=Path(given.lock),
            province=Path(given.validated),
            stopping=Path(given.stopping),
            models={
                stage: (Path(card), Path(weights))
                for stage, card, weights in zip(STAGES, given.cards, given.weights, strict=True)
            },
            compared=Path(given.compared) if given.compared else None,
            products={name: paths(files) for name, files in params.files.items()},
        ),
        output=Path(snakemake.output.page),
        tiles=Path(snakemake.output.tiles),
        name=snakemake.wildcards.province,
        province=params.province,
        grid=GridSettings(**params.grid).grid(),
        parts=params.parts,
        label_round=params.label_round,
        configuration=params.configuration,
        products={name: Product(**entry) for name, entry in params.products.items()},
        tiles_megabytes=params.report["tiles_megabytes"],
        note=params.note,
        threads=snakemake.threads,
    ),
)

# Imagery: tiles of a shard with their ledger, then a mosaic on the block grid.


rule fetch_tiles:
    """All tiles of a shard and its halo, with a ledger; a killed job goes on where it was."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
    output:
        tiles="results/{province}/tiles/{source}/{shard}.mbtiles",
    log:
        "logs/{province}/fetch_tiles/{source}/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/fetch_tiles/{source}/{shard}.tsv"
    retries: 1
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=download_minutes,
        download_a=download_slot(0),
        download_b=download_slot(1),
    params:
        source=source_section,
        grid=section("grid"),
        halo_pixels=key("mosaic", "halo_pixels"),
        quota="results/quota/{source}.sqlite",
        config_folder=CONFIG_FOLDER,
    script:
        "../../scripts/fetch_tiles.py"


rule build_mosaic:
    """The imagery of a shard on the block grid, with a validity mask and a halo."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        imagery=mosaic_imagery,
    output:
        mosaic="results/{province}/mosaic/{source}/{shard}.tif",
    log:
        "logs/{province}/build_mosaic/{source}/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/build_mosaic/{source}/{shard}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2500),
        runtime=minutes("mosaic_megapixels_per_second"),
    params:
        source=source_section,
        grid=section("grid"),
        mosaic=section("mosaic"),
    script:
        "../../scripts/build_mosaic.py"

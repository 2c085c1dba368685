# Imagery: tiles of a shard with their ledger, then a mosaic on the block grid.


# What changes neither a tile's address nor its content: slowing down fetches nothing again.
DOWNLOAD_MANNERS = {
    "requests_per_second",
    "daily_quota",
    "quota_reset_utc_hour",
    "concurrency",
    "timeout_seconds",
    "max_attempts",
    "initial_backoff_seconds",
    "max_backoff_seconds",
    "max_retry_after_seconds",
    "outage_seconds",
    "user_agent",
    "terms_url",
    "terms_accepted",
}


def source_section(wildcards):
    """Params function: one source's settings, less the manners of its download."""
    source = settings_of(wildcards.province).sources[wildcards.source]
    return source.model_dump(mode="json", exclude=DOWNLOAD_MANNERS)


def download_slot(position):
    """1 for the source that stands at `position`: one downloader at a time for each provider."""

    def slot(wildcards):
        sources = sources_of(wildcards.province)
        return int(sources.index(wildcards.source) == position)

    return slot


def mosaic_imagery(wildcards):
    """The imagery that a mosaic is made of: fetched tiles, or the user's own files."""
    source = settings_of(wildcards.province).sources[wildcards.source]
    if source.kind == "xyz":
        return f"results/{wildcards.province}/tiles/{wildcards.source}/{wildcards.shard}.mbtiles"
    if source.kind == "mbtiles":
        return source.path
    return readable(lambda: [str(path) for path in raster_paths(wildcards.source, source)])


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
    params:
        source=source_section,
        grid=section("grid"),
        halo_pixels=key("mosaic", "halo_pixels"),
        quota="results/quota/{source}.sqlite",
        config_folder=CONFIG_FOLDER,
    threads: 1
    resources:
        mem_mb=1000,
        download_a=download_slot(0),
        download_b=download_slot(1),
    retries: 1
    conda:
        "../../envs/croplayer.yaml"
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
    params:
        source=source_section,
        grid=section("grid"),
        mosaic=section("mosaic"),
    threads: 1
    resources:
        mem_mb=2500,
    conda:
        "../../envs/croplayer.yaml"
    script:
        "../../scripts/build_mosaic.py"

# Three-level validation: pixels against held-out extents, blocks, province against statistics.


def official_area(wildcards):
    """The official cropland area of a province in hectares, None where none is known."""
    return readable(
        lambda: official_area_ha(
            wildcards.province,
            area_ha=settings_of(wildcards.province).province.official_area_ha,
            table=settings_of(wildcards.province).province.official_area_table,
        )
    )


def pixel_maps(wildcards):
    """The masks of every source and, where there are two, the final map."""
    sources = sources_of(wildcards.province)
    files = [p for s in sources for p in shard_files("mask", wildcards.province, s)]
    return files + (shard_files("map", wildcards.province) if len(sources) > 1 else [])


rule validate_pixels:
    """IoU (Eq. 2), precision, recall and F1 on the validation extents."""
    input:
        maps=pixel_maps,
        polygons="results/{province}/labels/polygons.parquet",
        extents="results/{province}/labels/extents.parquet",
    output:
        pixel="results/{province}/validation/pixel.json",
    log:
        "logs/{province}/validate_pixels.log",
    params:
        sources=source_names,
        grid=section("grid"),
        validation=section("validation", only=["bootstrap_repeats", "bootstrap_seed"]),
    threads: 1
    resources:
        mem_mb=3000,
    conda:
        "../../envs/croplayer.yaml"
    script:
        "../../scripts/validate_pixels.py"


rule validate_blocks:
    """Semantic correctness with solidity (Eq. 3) and Euler number (Eq. 4)."""
    input:
        semantic="results/{province}/semantic/classes.parquet",
        card=model_file("semantic", "card.json"),
        features=all_shards("features", suffix=".parquet"),
        options="results/{province}/integration/options.parquet",
        maps=all_shards("map"),
    output:
        block="results/{province}/validation/block.json",
    log:
        "logs/{province}/validate_blocks.log",
    params:
        sources=source_names,
        grid=section("grid"),
    threads: 1
    resources:
        mem_mb=3000,
    conda:
        "../../envs/croplayer.yaml"
    script:
        "../../scripts/validate_blocks.py"


rule validate_province:
    """Cropland area in hectares on the ellipsoid against the official figure, four scenarios."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        counties=lambda wildcards: settings_of(wildcards.province).province.counties,
        maps=all_shards("map"),
        masks=all_shards("mask", by_source=True),
    output:
        province="results/{province}/validation/province.json",
    log:
        "logs/{province}/validate_province.log",
    params:
        sources=source_names,
        grid=section("grid"),
        province=section("province", leave_out=NO_GEOMETRY),
        validation=section("validation", only=["area_tolerance"]),
        official_area_ha=official_area,
    threads: 1
    resources:
        mem_mb=3000,
    conda:
        "../../envs/croplayer.yaml"
    script:
        "../../scripts/validate_province.py"


rule decide_stopping:
    """Has active learning reached its goal in this province? (section 3.2.4)"""
    input:
        pixel="results/{province}/validation/pixel.json",
        block="results/{province}/validation/block.json",
        province="results/{province}/validation/province.json",
    output:
        stopping="results/{province}/validation/stopping.json",
    log:
        "logs/{province}/decide_stopping.log",
    params:
        validation=section("validation"),
        round_number=key("labels", "round"),
    threads: 1
    resources:
        mem_mb=1000,
    conda:
        "../../envs/croplayer.yaml"
    script:
        "../../scripts/decide_stopping.py"

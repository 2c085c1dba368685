# Three-level validation: pixels against held-out extents, blocks, province against statistics.


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
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        sources=source_names,
        grid=section("grid"),
        validation=section("validation", only=["bootstrap_repeats", "bootstrap_seed"]),
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
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        sources=source_names,
        grid=section("grid"),
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
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        sources=source_names,
        grid=section("grid"),
        province=section("province", leave_out=NO_GEOMETRY),
        validation=section("validation", only=["area_tolerance"]),
        official_area_ha=official_area,
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
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        validation=section("validation"),
        round_number=key("labels", "round"),
    script:
        "../../scripts/decide_stopping.py"

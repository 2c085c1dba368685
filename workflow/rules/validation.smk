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
        mem_mb=memory(3000),
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
        mem_mb=memory(3000),
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
        blocks="results/{province}/validation/block_areas.parquet",
    log:
        "logs/{province}/validate_province.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        sources=source_names,
        grid=section("grid"),
        province=section("province", leave_out=NO_GEOMETRY),
        validation=section(
            "validation",
            only=["area_tolerance", "bootstrap_repeats", "bootstrap_seed"],
        ),
        official_area_ha=official_area,
    script:
        "../../scripts/validate_province.py"


rule decide_stopping:
    """Has active learning reached its goal in this province? (section 3.2.4)"""
    input:
        pixel="results/{province}/validation/pixel.json",
        block="results/{province}/validation/block.json",
        province="results/{province}/validation/province.json",
        lock="results/{province}/labels/labels.lock",
        tables=label_tables(*TABLES),
        models=models_of_run,
    output:
        stopping="results/{province}/validation/stopping.json",
    log:
        "logs/{province}/decide_stopping.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        validation=section("validation"),
        round_number=lambda wildcards: round_of(wildcards.province),
        earlier=earlier_rounds,
        config_sha256=lambda wildcards: settings_digest(
            settings_of(wildcards.province), leave_out=OUTSIDE_THE_DECISION
        ),
    script:
        "../../scripts/decide_stopping.py"


rule record_round:
    """What this round came to, kept beside those of the other rounds."""
    input:
        decision="results/{province}/validation/stopping.json",
        metrics="results/{province}/metrics.json",
        card=model_file("segmentation", "card.json"),
    output:
        decision=report(
            "results/{province}/rounds/{round}/decision.json",
            caption="../report/decision.rst",
            category="6 Accuracy",
            labels={"what": "Decision to stop or to go on"},
        ),
        metrics="results/{province}/rounds/{round}/metrics.json",
        card="results/{province}/rounds/{round}/segmentation_card.json",
    log:
        "logs/{province}/record_round/{round}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    script:
        "../../scripts/record_round.py"

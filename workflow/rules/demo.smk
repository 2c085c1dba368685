# Only the generated province uses these rules: a generated interpreter stands in for the person
# who looks at blocks, and the generated truth, which no real province has, measures the map.


rule interpret_blocks:
    """The generated interpreter gives each block its semantic class and integration option."""
    input:
        blocks="results/demo/plan/blocks.parquet",
        masks=lambda wildcards: [
            path
            for source in sources_of("demo")
            for path in shard_files("mask", "demo", source)
        ],
        truth="results/demo/generated/truth.tif",
        coverage="results/demo/generated/labels/coverage.csv",
    output:
        semantic="results/demo/interpretation/semantic.csv",
        options="results/demo/interpretation/options.csv",
    log:
        "logs/demo/interpret_blocks.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=lambda wildcards: sources_of("demo"),
        grid=lambda wildcards: settings_of("demo").grid.model_dump(mode="json"),
    script:
        "../../scripts/interpret_blocks.py"


rule score_demo:
    """IoU and area of the final map against the generated true cropland, unseen blocks apart."""
    input:
        blocks="results/demo/plan/blocks.parquet",
        maps=lambda wildcards: shard_files("map", "demo"),
        truth="results/demo/generated/truth.tif",
        extents="results/demo/labels/extents.parquet",
    output:
        score="results/demo/validation/truth.json",
    log:
        "logs/demo/score_demo.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        grid=lambda wildcards: settings_of("demo").grid.model_dump(mode="json"),
    script:
        "../../scripts/score_demo.py"

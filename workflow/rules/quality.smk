# Image quality: the ResNet of coverage types, and the thin-cloud features of every block.


rule train_coverage:
    """Train the classifier of the five coverage types (Table 1)."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        mosaics=all_shards("mosaic", by_source=True),
        labels=label_table("coverage"),
    output:
        weights="results/{province}/coverage/model/model.safetensors",
        model="results/{province}/coverage/model/model.json",
        card="results/{province}/coverage/model/card.json",
        confusion=report(
            "results/{province}/figures/coverage_confusion.png",
            caption="../report/coverage_confusion.rst",
            category="2 Image quality",
            labels={"what": "Coverage types: confusion on held-out blocks"},
        ),
    log:
        "logs/{province}/train_coverage.log",
    benchmark:
        "results/{province}/benchmarks/train_coverage.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(6000),
        gpu=1,
    params:
        sources=source_names,
        grid=section("grid"),
        quality=section("quality"),
    script:
        "../../scripts/train_coverage.py"


rule assess_quality:
    """Coverage type, sharpness (Eq. 1) and HSL of every block of a shard."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        mosaic="results/{province}/mosaic/{source}/{shard}.tif",
        weights=model_file("coverage", "model.safetensors"),
        model=model_file("coverage", "model.json"),
    output:
        quality="results/{province}/quality/{source}/{shard}.parquet",
    log:
        "logs/{province}/assess_quality/{source}/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/assess_quality/{source}/{shard}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes("blocks_per_second"),
    params:
        grid=section("grid"),
        quality=section("quality"),
    script:
        "../../scripts/assess_quality.py"

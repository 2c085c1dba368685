# Segmentation: a network trained on the labelled extents, then cropland probability and mask.

# What only inference reads: changing it trains nothing again, and the other way round.
INFERENCE_ONLY = [
    "overlap_pixels",
    "threshold",
    "inference_batch_size",
    "inference_chip_pixels",
    "acceleration",
]
INFERENCE_KEYS = [*INFERENCE_ONLY, "chip_pixels", "precision", "device"]


rule train_segmentation:
    """Train on polygons rasterised over the labelled extents; a killed job resumes."""
    input:
        mosaics=all_shards("mosaic", by_source=True),
        polygons="results/{province}/labels/polygons.parquet",
        extents="results/{province}/labels/extents.parquet",
        pretrained=pretrained_files,
    output:
        weights="results/{province}/segmentation/model/model.safetensors",
        model="results/{province}/segmentation/model/model.json",
        card="results/{province}/segmentation/model/card.json",
        history="results/{province}/segmentation/model/history.csv",
        curve=report(
            "results/{province}/figures/learning_curve.png",
            caption="../report/learning_curve.rst",
            category="3 Segmentation",
            labels={"what": "Learning curve"},
        ),
    log:
        "logs/{province}/train_segmentation.log",
    benchmark:
        "results/{province}/benchmarks/train_segmentation.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 2
    resources:
        mem_mb=memory(12000),
        gpu=1,
    params:
        sources=source_names,
        grid=section("grid"),
        segmentation=section("segmentation", leave_out=INFERENCE_ONLY),
        checkpoint="results/{province}/segmentation/checkpoint.pt",
    script:
        "../../scripts/train_segmentation.py"


rule segment_shard:
    """Cropland probability and mask of a shard, independent of where shards begin."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        mosaic="results/{province}/mosaic/{source}/{shard}.tif",
        weights=model_file("segmentation", "model.safetensors"),
        model=model_file("segmentation", "model.json"),
    output:
        probability="results/{province}/probability/{source}/{shard}.tif",
        mask="results/{province}/mask/{source}/{shard}.tif",
    log:
        "logs/{province}/segment_shard/{source}/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/segment_shard/{source}/{shard}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 2
    resources:
        mem_mb=memory(6000),
        runtime=minutes("segmentation_megapixels_per_second"),
        gpu=1,
    params:
        grid=section("grid"),
        segmentation=section("segmentation", only=INFERENCE_KEYS),
    script:
        "../../scripts/segment_shard.py"

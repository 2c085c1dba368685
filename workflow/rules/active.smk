# Active learning: the blocks worth labelling next, and a QGIS project to label them in. Nothing of
# it is needed for a map: `snakemake choose`, or `active.in_every_run: true`.


rule choose_blocks:
    """Rank the blocks that are worth labelling next, some of them plainly at random."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        mosaics=all_shards("mosaic", by_source=True),
        probability=all_shards("probability", by_source=True),
        masks=all_shards("mask", by_source=True),
        weights=model_file("segmentation", "model.safetensors"),
        model=model_file("segmentation", "model.json"),
        quality=quality_for_choosing,
        terrain=terrain_for_choosing,
        semantic=semantic_for_choosing,
        extents=extents_for_choosing,
        products=all_product_inputs,
    output:
        scores="results/{province}/choosing/scores.parquet",
        chosen="results/{province}/choosing/chosen.gpkg",
        table="results/{province}/choosing/chosen.csv",
        suggested="results/{province}/choosing/suggested_extents.gpkg",
    log:
        "logs/{province}/choose_blocks.log",
    benchmark:
        "results/{province}/benchmarks/choose_blocks.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 2
    resources:
        mem_mb=memory(6000),
        gpu=1,
    params:
        sources=source_names,
        grid=section("grid"),
        active=section("active", leave_out=["in_every_run"]),
        segmentation=section("segmentation", only=INFERENCE_KEYS),
        products=product_rasters,
        files=files_by_product,
        label_round=lambda wildcards: round_of(wildcards.province),
    script:
        "../../scripts/choose_blocks.py"


rule plot_chosen:
    """Where to label next, on a map, and a small picture of every chosen block."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        scores="results/{province}/choosing/scores.parquet",
        chosen="results/{province}/choosing/chosen.gpkg",
        suggested="results/{province}/choosing/suggested_extents.gpkg",
        mosaics=all_shards("mosaic", by_source=True),
        probability=all_shards("probability", by_source=True),
        extents=extents_for_choosing,
    output:
        figure=report(
            "results/{province}/figures/chosen.png",
            caption="../report/chosen.rst",
            category="7 Labels",
            labels={"what": "What to label next"},
        ),
        thumbnails=directory("results/{province}/choosing/thumbnails"),
    log:
        "logs/{province}/plot_chosen.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_chosen.py"


rule write_project:
    """A QGIS project to label in. Label layers that exist are never touched (no output of it)."""
    input:
        chosen="results/{province}/choosing/chosen.gpkg",
        suggested="results/{province}/choosing/suggested_extents.gpkg",
        thumbnails="results/{province}/choosing/thumbnails",
        mosaics=all_shards("mosaic", by_source=True),
        probability=all_shards("probability", by_source=True),
        masks=all_shards("mask", by_source=True),
    output:
        project="results/{province}/choosing/project.qgz",
        virtual=directory("results/{province}/choosing/layers"),
    log:
        "logs/{province}/write_project.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        sources=source_names,
        grid=section("grid"),
        labels=section(
            "labels",
            only=["cropland", "extents", "cropland_classes", "other_classes"],
        ),
        label_round=lambda wildcards: round_of(wildcards.province),
        title=key("province", "title"),
        new_labels="results/{province}/choosing/new_labels",
    script:
        "../../scripts/write_project.py"

# Segmentation models side by side (Table 6): one job a model, fold and seed, then one table.


rule compare_model:
    """Train one model with one seed and measure it on one fold."""
    input:
        mosaics=all_shards("mosaic", by_source=True),
        polygons="results/{province}/labels/polygons.parquet",
        extents="results/{province}/labels/extents.parquet",
    output:
        result="results/{province}/model_comparison/{model}/fold{fold}_seed{seed}/result.json",
        predictions="results/{province}/model_comparison/{model}/fold{fold}_seed{seed}/predictions.npz",
        split="results/{province}/model_comparison/{model}/fold{fold}_seed{seed}/extents.parquet",
    log:
        "logs/{province}/compare_model/{model}/fold{fold}_seed{seed}.log",
    benchmark:
        "results/{province}/benchmarks/compare_model/{model}/fold{fold}_seed{seed}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 2
    resources:
        mem_mb=memory(12000),
        gpu=1,
    params:
        sources=source_names,
        grid=section("grid"),
        segmentation=section("segmentation"),
        comparison=compared_model,
        leakage_metres=key("labels", "leakage_metres"),
    script:
        "../../scripts/compare_model.py"


rule plot_models:
    """Held-out extents: the image, the truth, what every model maps."""
    input:
        mosaics=all_shards("mosaic", by_source=True),
        polygons="results/{province}/labels/polygons.parquet",
        split=comparison_runs("extents.parquet", first_only=True),
        predictions=comparison_runs("predictions.npz", first_only=True),
    output:
        figure=report(
            "results/{province}/model_comparison/plate.png",
            caption="../report/model_plate.rst",
            category="3 Segmentation",
            labels={"what": "Models side by side: pictures"},
        ),
    log:
        "logs/{province}/plot_models.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        sources=source_names,
        grid=section("grid"),
        threshold=key("segmentation", "threshold"),
        most=key("model_comparison", "plate_extents"),
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_models.py"


rule compare_models:
    """The table of all models: accuracy, time, memory, size; mean and spread over the seeds."""
    input:
        results=comparison_runs("result.json"),
        plate="results/{province}/model_comparison/plate.png",
    output:
        table="results/{province}/model_comparison/models.csv",
        extents="results/{province}/model_comparison/extents.csv",
        page=report(
            "results/{province}/model_comparison/models.html",
            caption="../report/model_comparison.rst",
            category="3 Segmentation",
            labels={"what": "Models side by side: table"},
        ),
        metrics="results/{province}/model_comparison/metrics.json",
    log:
        "logs/{province}/compare_models.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        order=lambda wildcards: comparison_of(wildcards.province).contestants,
        facts=comparison_facts,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/compare_models.py"

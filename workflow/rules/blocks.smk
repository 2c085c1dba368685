# Blocks: features (Table 5), semantic correctness, integration options and the final map.


rule measure_features:
    """The 16 features of every block and source of a shard."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        masks=each_source("mask"),
        quality=each_source("quality", ".parquet"),
        terrain="results/{province}/terrain/{shard}.parquet",
    output:
        features="results/{province}/features/{shard}.parquet",
    log:
        "logs/{province}/measure_features/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/measure_features/{shard}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000),
        runtime=minutes("blocks_per_second"),
    params:
        sources=source_names,
        grid=section("grid"),
    script:
        "../../scripts/measure_features.py"


rule train_semantic:
    """XGBoost of semantic correctness on the interpreted blocks: TP, FP, Noise, Artifacts."""
    input:
        features=all_shards("features", suffix=".parquet"),
        labels=label_table("semantic"),
    output:
        model="results/{province}/semantic/model/model.json",
        card="results/{province}/semantic/model/card.json",
        importance=report(
            "results/{province}/figures/semantic_importance.png",
            caption="../report/semantic_importance.rst",
            category="4 Blocks",
            labels={"what": "Semantic correctness: permutation importance"},
        ),
    log:
        "logs/{province}/train_semantic.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        semantic=section("semantic"),
    script:
        "../../scripts/train_semantic.py"


rule classify_semantic:
    """Semantic class of every block and source of the province."""
    input:
        features=all_shards("features", suffix=".parquet"),
        model=model_file("semantic", "model.json"),
        card=model_file("semantic", "card.json"),
        blocks="results/{province}/plan/blocks.parquet",
    output:
        classes="results/{province}/semantic/classes.parquet",
    log:
        "logs/{province}/classify_semantic.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        sources=source_names,
    script:
        "../../scripts/classify_semantic.py"


rule train_integration:
    """XGBoost of the integration option on 30 features a block."""
    input:
        features=all_shards("features", suffix=".parquet"),
        semantic="results/{province}/semantic/classes.parquet",
        labels=label_table("options"),
    output:
        model="results/{province}/integration/model/model.json",
        card="results/{province}/integration/model/card.json",
        importance=report(
            "results/{province}/figures/integration_importance.png",
            caption="../report/integration_importance.rst",
            category="4 Blocks",
            labels={"what": "Integration: permutation importance"},
        ),
    log:
        "logs/{province}/train_integration.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        sources=source_names,
        integration=section("integration"),
    script:
        "../../scripts/train_integration.py"


rule choose_options:
    """Integration option of every block; manual corrections win and are listed."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        features=all_shards("features", suffix=".parquet"),
        semantic="results/{province}/semantic/classes.parquet",
        model=model_file("integration", "model.json"),
        card=model_file("integration", "card.json"),
        corrections=label_tables("corrections"),
    output:
        options="results/{province}/integration/options.parquet",
    log:
        "logs/{province}/choose_options.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        sources=source_names,
    script:
        "../../scripts/choose_options.py"


rule integrate_shard:
    """The final map of a shard: 0 not cropland, 1 cropland, 254 unusable imagery, 255 outside."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        masks=each_source("mask"),
        options="results/{province}/integration/options.parquet",
    output:
        map="results/{province}/map/{shard}.tif",
    log:
        "logs/{province}/integrate_shard/{shard}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=source_names,
        grid=section("grid"),
        province=section("province", leave_out=NO_GEOMETRY),
    script:
        "../../scripts/integrate_shard.py"

# Active learning: the blocks worth labelling next, and a QGIS project to label them in. Nothing of
# it is needed for a map: `snakemake choose`, or `active.in_every_run: true`.

CHOSEN = ["choosing/chosen.csv", "choosing/project.qgz", "figures/chosen.png"]


def chosen_files(provinces):
    """What people look at before they label, of the given provinces."""
    return [f"results/{province}/{name}" for province in provinces for name in CHOSEN]


def choosing_provinces():
    """The provinces in which blocks are chosen in every run."""
    return [p for p in PROVINCES if settings_of(p).active.in_every_run]


def has_model(province, stage, label):
    """True if the model of a stage can be had: lent by a province, or learned from labels."""
    settings = settings_of(province)
    return bool(getattr(settings.models, stage) or getattr(settings.labels, label))


def quality_for_choosing(wildcards):
    """Input function: image quality of all sources, [] where coverage types cannot be told."""
    if not has_model(wildcards.province, "coverage", "coverage"):
        return []
    return all_shards("quality", by_source=True, suffix=".parquet")(wildcards)


def terrain_for_choosing(wildcards):
    """Input function: terrain, [] where no stratum asks for a slope or there is no DEM."""
    settings = settings_of(wildcards.province)
    if not (settings.active.needs_slope and settings.terrain.dem):
        return []
    return all_shards("terrain", suffix=".parquet")(wildcards)


def semantic_for_choosing(wildcards):
    """Input function: semantic classes, [] where nobody has interpreted blocks."""
    if not has_model(wildcards.province, "semantic", "semantic"):
        return []
    return f"results/{wildcards.province}/semantic/classes.parquet"


def extents_for_choosing(wildcards):
    """Input function: what is labelled already, [] before anything is."""
    if settings_of(wildcards.province).labels.extents is None:
        return []
    return f"results/{wildcards.province}/labels/extents.parquet"


def products_for_choosing(wildcards):
    """Input function: the files of existing products."""
    products = settings_of(wildcards.province).active.products
    return readable(
        lambda: [
            str(path)
            for name, product in products.items()
            for path in files_of_product(name, product)
        ]
    )


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
        products=products_for_choosing,
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

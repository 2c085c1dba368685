# Labels: what annotators drew and interpreted, checked, brought to EPSG:4326, settled to one label a
# block. The lock is refreshed when the workflow starts (common.smk), and it alone decides whether
# polygons are imported again.


rule import_labels:
    """Check the polygons and extents; every finding is listed, nothing is changed in silence."""
    input:
        lock="results/{province}/labels/labels.lock",
        blocks="results/{province}/plan/blocks.parquet",
        cropland=lambda wildcards: ancient(label_file("cropland")(wildcards)),
        extents=lambda wildcards: ancient(label_file("extents")(wildcards)),
    output:
        polygons="results/{province}/labels/polygons.parquet",
        extents="results/{province}/labels/extents.parquet",
        findings="results/{province}/labels/findings.csv",
        page=report(
            "results/{province}/labels/findings.html",
            caption="../report/labels.rst",
            category="3 Segmentation",
            labels={"what": "Labels: what the checks found"},
        ),
    log:
        "logs/{province}/import_labels.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        sources=source_names,
        grid=section("grid"),
        labels=section("labels", leave_out=LABEL_PATHS),
        for_training=lambda wildcards: (
            settings_of(wildcards.province).models.segmentation is None
        ),
    script:
        "../../scripts/import_labels.py"


# What reads a table of block labels depends on its settled copy, whose bytes change only if a label
# does: a name, a time, another folder or another round with the same labels rerun nothing.
rule import_block_labels:
    """Check a table of block labels; the last word of each annotator, then their majority."""
    input:
        table=lambda wildcards: label_file(wildcards.table)(wildcards),
        blocks="results/{province}/plan/blocks.parquet",
    output:
        table="results/{province}/labels/{table}.csv",
        findings="results/{province}/labels/{table}_findings.csv",
    log:
        "logs/{province}/import_block_labels/{table}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=source_names,
    script:
        "../../scripts/import_block_labels.py"

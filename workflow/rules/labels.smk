# Labels: what annotators drew, checked and brought to EPSG:4326. The lock is refreshed when the
# workflow starts (common.smk), and it alone decides whether labels are imported again.


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
    log:
        "logs/{province}/import_labels.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        sources=source_names,
        grid=section("grid"),
        labels=section(
            "labels",
            leave_out=[
                "coverage",
                "semantic",
                "options",
                "corrections",
                "cropland",
                "extents",
            ],
        ),
        for_training=lambda wildcards: (
            settings_of(wildcards.province).models.segmentation is None
        ),
    script:
        "../../scripts/import_labels.py"

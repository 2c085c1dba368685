# Pictures of what the words mean: coverage types, label classes, definitions of cropland.


rule plot_coverage_examples:
    """Blocks of each coverage type (Fig. 2), and the types with their counts (Table 1)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
        labels=label_tables("coverage"),
        mosaics=all_shards("mosaic", by_source=True),
    output:
        figure=report(
            "results/{province}/figures/coverage_examples.png",
            caption="../report/coverage_examples.rst",
            category="4 Blocks",
            labels={"what": "Figure 2: examples of coverage types"},
        ),
        table=report(
            "results/{province}/report/coverage_types.csv",
            caption="../report/coverage_types.rst",
            category="4 Blocks",
            labels={"what": "Table 1: coverage types"},
        ),
    log:
        "logs/{province}/plot_coverage_examples.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_coverage_examples.py"


rule plot_label_examples:
    """Drawn polygons of each class on imagery, and the classes with their counts (Table 2)."""
    input:
        polygons="results/{province}/labels/polygons.parquet",
        extents="results/{province}/labels/extents.parquet",
        mosaics=all_shards("mosaic", by_source=True),
    output:
        figure=report(
            "results/{province}/figures/label_examples.png",
            caption="../report/label_examples.rst",
            category="7 Labels",
            labels={"what": "Table 2: examples of label classes"},
        ),
        table=report(
            "results/{province}/report/label_classes.csv",
            caption="../report/label_classes.rst",
            category="7 Labels",
            labels={"what": "Table 2: label classes"},
        ),
    log:
        "logs/{province}/plot_label_examples.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_label_examples.py"


rule plot_definitions:
    """What each product calls cropland (Fig. 4), and what the products are (Table 3)."""
    input:
        catalogue=lambda wildcards: str(
            settings_of(wildcards.province).comparison.catalogue
        ),
    output:
        figure=report(
            "results/{province}/figures/definitions.png",
            caption="../report/definitions.rst",
            category="7b Products",
            labels={"what": "Figure 4: definitions of cropland"},
        ),
        table=report(
            "results/{province}/report/products.csv",
            caption="../report/product_facts.rst",
            category="7b Products",
            labels={"what": "Table 3: existing products"},
        ),
    log:
        "logs/{province}/plot_definitions.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        compared=lambda wildcards: list(products_of(wildcards.province)),
        mark=lambda wildcards: (
            "made stand-in compared here"
            if is_generated(wildcards.province)
            else "compared here"
        ),
    script:
        "../../scripts/plot_definitions.py"

# The comparison with products as a person sees it: plates, bars, maps, histograms, a page of tables.


rule plot_product_plates:
    """Blocks of the final map beside every product, at full resolution."""
    input:
        compared="results/{province}/comparison/blocks.parquet",
        maps=final_maps,
        mosaics=lambda wildcards: shard_files(
            "mosaic", wildcards.province, sources_of(wildcards.province)[0]
        ),
        products=all_product_inputs,
    output:
        figure=report(
            "results/{province}/figures/products_plates.png",
            caption="../report/products_plates.rst",
            category="7b Products",
            labels={"what": "Plates: this map and the products"},
        ),
    log:
        "logs/{province}/plot_product_plates.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        grid=section("grid"),
        products=product_entries,
        files=files_by_product,
        plate_blocks=key("comparison", "plate_blocks"),
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/plot_product_plates.py"


rule plot_product_iou:
    """IoU of each product with the final map (Fig. 13)."""
    input:
        pixels="results/{province}/comparison/pixels.csv",
    output:
        figure=report(
            "results/{province}/figures/products_iou.png",
            caption="../report/products_iou.rst",
            category="7b Products",
            labels={"what": "IoU of the products with this map"},
        ),
    log:
        "logs/{province}/plot_product_iou.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/plot_product_iou.py"


rule plot_product_areas:
    """Percentage of the official area of products and scenarios (Fig. 12 and 16)."""
    input:
        areas="results/{province}/comparison/areas.csv",
    output:
        figure=report(
            "results/{province}/figures/products_areas.png",
            caption="../report/products_areas.rst",
            category="7b Products",
            labels={"what": "Products against the official area"},
        ),
    log:
        "logs/{province}/plot_product_areas.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/plot_product_areas.py"


rule plot_product_deviations:
    """Maps of the deviation of area fraction and edge density (Fig. 14)."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        compared="results/{province}/comparison/blocks.parquet",
    output:
        figure=report(
            "results/{province}/figures/products_deviations.png",
            caption="../report/products_deviations.rst",
            category="7b Products",
            labels={"what": "Deviation of area fraction and edge density"},
        ),
    log:
        "logs/{province}/plot_product_deviations.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        titles=product_titles,
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/plot_product_deviations.py"


rule plot_product_slopes:
    """Histograms of the deviation over slope (Fig. 15)."""
    input:
        compared="results/{province}/comparison/blocks.parquet",
        slopes="results/{province}/comparison/slopes.csv",
    output:
        figure=report(
            "results/{province}/figures/products_slopes.png",
            caption="../report/products_slopes.rst",
            category="7b Products",
            labels={"what": "Deviation over slope"},
        ),
    log:
        "logs/{province}/plot_product_slopes.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        titles=product_titles,
        least_af=key("comparison", "least_af"),
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/plot_product_slopes.py"


rule plot_product_scatter:
    """Area fraction and edge density of every block, product against final map."""
    input:
        compared="results/{province}/comparison/blocks.parquet",
    output:
        figure=report(
            "results/{province}/figures/products_scatter.png",
            caption="../report/products_scatter.rst",
            category="7b Products",
            labels={"what": "Blocks: product against this map"},
        ),
    log:
        "logs/{province}/plot_product_scatter.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        titles=product_titles,
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/plot_product_scatter.py"


rule comparison_page:
    """All tables of the comparison on one page, what to know first at its head."""
    input:
        pixels="results/{province}/comparison/pixels.csv",
        areas="results/{province}/comparison/areas.csv",
        definitions="results/{province}/comparison/definitions.csv",
        findings="results/{province}/comparison/findings.csv",
        classes="results/{province}/comparison/classes.csv",
        accuracy=reference_results("accuracy.csv"),
        groups=reference_results("groups.csv"),
    output:
        page=report(
            "results/{province}/comparison/comparison.html",
            caption="../report/products_page.rst",
            category="7b Products",
            labels={"what": "All tables of the comparison"},
        ),
    log:
        "logs/{province}/comparison_page.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        products=product_entries,
        title=key("province", "title"),
        note=product_note,
    script:
        "../../scripts/comparison_page.py"

"""Wiring only: the provinces of this run, the stages, and the targets a person asks for."""

from snakemake.utils import min_version

min_version("9.3")


include: "workflow/rules/common.smk"


wildcard_constraints:
    province=NAME_PATTERN,
    source=NAME_PATTERN,
    shard=ID_PATTERN,


report: "workflow/report/workflow.rst"


localrules:
    all,
    plan,
    tiles,
    segmentation,


# The county files, the accuracy table and the figures of every province of the run.
rule all:
    default_target: True
    input:
        collect("results/{province}/metrics.json", province=PROVINCES),
        lambda wildcards: figures_of(PROVINCES),


rule plan:
    """Only the plan: blocks, shards and a preview of requests, disk and hours."""
    input:
        collect("results/{province}/plan/preview.html", province=PROVINCES),


rule tiles:
    """Only the imagery: every mosaic of every source."""
    input:
        lambda wildcards: [
            path
            for province in PROVINCES
            for source in sources_of(province)
            for path in shard_files("mosaic", province, source)
        ],


rule segmentation:
    """The segmentation model and its accuracy on held-out extents."""
    input:
        collect("results/{province}/validation/pixel.json", province=PROVINCES),
        collect(
            "results/{province}/figures/{name}.png",
            province=PROVINCES,
            name=["learning_curve", "extents"],
        ),


include: "workflow/rules/plan.smk"
include: "workflow/rules/tiles.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/terrain.smk"
include: "workflow/rules/segmentation.smk"
include: "workflow/rules/blocks.smk"
include: "workflow/rules/validation.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/demo.smk"

# What the rules of model_comparison.smk share: which runs there are, and what decides each.


def comparison_of(province):
    """The settings of a province's comparison; a province without them has none to make."""
    found = settings_of(province).model_comparison
    if found is None:
        print(
            f"\nprovince {province} compares no models: give its configuration the section "
            "model_comparison (see config/provinces/naip_fields.yaml)\n",
            file=sys.stderr,
        )
        sys.exit(1)
    return found


def comparison_runs(name, *, first_only=False):
    """Input function: a file of every run (or of each model's first one) of the comparison."""

    def files(wildcards):
        comparison = comparison_of(wildcards.province)
        folds, seeds = range(comparison.folds or 1), comparison.seeds
        if first_only:
            folds, seeds = folds[:1], seeds[:1]
        return expand(
            "results/{province}/model_comparison/{model}/fold{fold}_seed{seed}/{name}",
            province=wildcards.province,
            model=comparison.contestants,
            fold=folds,
            seed=seeds,
            name=name,
        )

    return files


def compared_model(wildcards):
    """Params function: what decides a run of the comparison; other models do not."""
    values = comparison_of(wildcards.province).model_dump(mode="json")
    networks = values["models"]
    idle = {"seeds", "plate_extents"}
    if wildcards.model in networks:
        values["models"] = {wildcards.model: networks[wildcards.model]}
        values["pixel_baseline"] = None
    else:
        idle |= {"models", "max_steps", "batch_size"}
    return {name: value for name, value in values.items() if name not in idle}


def comparison_facts(wildcards):
    """Params function: sentences on split and budget."""
    comparison = comparison_of(wildcards.province)
    held_out = (
        f"{comparison.folds} folds of the labelled extents, each held out once"
        if comparison.folds
        else "the validation extents of the labels"
    )
    return [
        f"Held out: {held_out}. Seeds: {', '.join(map(str, comparison.seeds))}; "
        "± is the standard deviation over them.",
        f"Every network: {comparison.max_steps} steps of {comparison.batch_size} chips of "
        f"{settings_of(wildcards.province).segmentation.chip_pixels} pixels; the model after the "
        "last step is measured, nothing is chosen on the extents that measure it. Mapping counts "
        "the ground of a chip, overlap included; memory is that of the whole process.",
        f"Boundaries agree within {comparison.boundary_tolerance_pixels:g} pixels; off the edges "
        "are the pixels farther than that from a drawn boundary.",
    ]

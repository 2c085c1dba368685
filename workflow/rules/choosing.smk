# What the rules of active.smk share: what is there to choose by, and where blocks are chosen.

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

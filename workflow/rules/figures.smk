# What the rules of the figures share: the networks of a province, and several provinces as one.


def architecture(stage, section_name):
    """Params function: the network of a stage, trained here or in the province that lends it."""

    def name(wildcards):
        lender = getattr(settings_of(wildcards.province).models, stage)
        return getattr(
            settings_of(lender or wildcards.province), section_name
        ).architecture

    return name


def all_block_tables(wildcards):
    """Input function: the block tables of every province of the run."""
    return [f"results/{province}/report/blocks.parquet" for province in PROVINCES]


def names_of_both(wildcards):
    """Params function: the two sources, by their names where these are the same everywhere."""
    names = {tuple(sources_of(province)) for province in PROVINCES}
    return list(names.pop()) if len(names) == 1 else ["first source", "second source"]


def title_of_all(wildcards):
    """Params function: how the provinces of the run are called together."""
    nation = " and ".join(name.replace("_", " ").title() for name in NATIONS)
    return nation or f"{len(PROVINCES)} provinces"


def note_of_all(wildcards):
    """Params function: which of the provinces are no real places."""
    names = [settings_of(p).province.title for p in PROVINCES if is_generated(p)]
    return f"Generated, no real place: {', '.join(names)}" if names else ""

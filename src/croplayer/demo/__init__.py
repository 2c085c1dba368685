"""The built-in GENERATED province: a seeded, invented landscape to try the workflow on.

Nothing here is an observation of the earth. Land cover, relief, imagery, labels, interpretation
and official area are all computed from one seed, so that the truth is known at every pixel.
"""

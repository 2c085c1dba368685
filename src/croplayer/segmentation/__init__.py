"""Cropland segmentation: training, inference over shards, pixel accuracy.

Entry functions: `training.train_segmentation`, `inference.segment_shard`,
`evaluate.evaluate_pixels`. Nothing is imported here: the settings and the evaluation do without
torch.
"""

import os

# OpenMP threads that wait for one another spin by default. Where the cores have other work too, the
# spinning costs several times the work itself. It counts only if torch is not loaded yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

"""Cropland segmentation: training, and inference over shards.

Entry functions: `training.train_segmentation`, `inference.segment_shard`. Nothing is imported here:
the settings do without torch.
"""

import os

# OpenMP threads that wait for one another spin by default. Where the cores have other work too, the
# spinning costs several times the work itself. It counts only if torch is not loaded yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

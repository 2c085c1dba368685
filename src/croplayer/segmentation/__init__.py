"""Cropland segmentation: training, inference over shards, pixel accuracy.

Entry functions: `training.train_segmentation`, `inference.segment_shard`,
`evaluate.evaluate_pixels`. Nothing is imported here: the settings and the evaluation do without
torch.
"""

"""Segmentation models side by side (Table 6 of the paper).

Entry functions: `run.compare_model`, one model, seed and fold a job, and `table.compare_models`.
"""

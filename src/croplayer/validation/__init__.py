"""Validation at three levels (paper, section 3.2.3) and the decision to stop (3.2.4)."""

"""Readers of label and imagery formats made elsewhere."""

"""The configuration of a province: one module a top-level key, all fields described."""

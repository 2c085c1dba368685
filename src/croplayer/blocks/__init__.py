"""What is measured and decided a block: features, semantic correctness, integration."""

"""What a person wants to see of a case: figures, the accuracy table, the flat numbers."""

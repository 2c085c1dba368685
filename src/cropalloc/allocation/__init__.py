"""Allocation of areas to cells: exact, and proved so with every solution (Eq. 11-16)."""

"""Allocation of harvested areas to cells: exact, and proved exact with every solution (Eq. 11-16)."""

"""What people label: import, checks, the lock, and targets on the pixel grid."""

"""TEMPORAL: one number per step; one module per group."""

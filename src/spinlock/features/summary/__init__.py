"""SUMMARY: one number per trajectory; one module per group."""

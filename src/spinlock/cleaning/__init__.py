"""Cleaning: raw features become standardized columns with masks; the only place that imputes."""

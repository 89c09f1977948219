"""Features: named numbers that describe a field or a trajectory."""

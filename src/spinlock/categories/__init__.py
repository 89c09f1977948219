"""Categories: groups of columns that speak of one thing."""

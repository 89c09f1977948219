"""Initial conditions: families of random periodic fields."""

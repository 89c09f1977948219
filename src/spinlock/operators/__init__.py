"""Random stochastic neural operators, built from a row of the operator table."""

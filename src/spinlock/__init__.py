"""Spinlock: a discrete vocabulary for the behavior of random stochastic neural operators."""

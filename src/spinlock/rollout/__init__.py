"""Rollouts: update policies, the engine, shards, and the stream of trajectories."""

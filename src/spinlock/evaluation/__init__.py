"""Scores of tokenizer and agent, their baselines and intervals."""

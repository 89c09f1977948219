"""The tokenizer: a categorical hierarchical VQ-VAE."""

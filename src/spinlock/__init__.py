"""Spinlock: a discrete vocabulary for the behavior of random stochastic neural operators.

The public names are loaded when first used, so that a stage imports only what it needs.
"""

import importlib

_PUBLIC = {
    "extract": ("spinlock.library", "extract"),
    "last_step": ("spinlock.library", "last_step"),
    "load_noa": ("spinlock.noa.model", "load"),
    "load_operators": ("spinlock.sampling.table", "read"),
    "load_tokenizer": ("spinlock.library", "load_tokenizer"),
    "rollouts": ("spinlock.library", "rollouts"),
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'spinlock' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)

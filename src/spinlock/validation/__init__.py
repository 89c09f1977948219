"""Is an artefact whole, and what it says it is? `spinlock validate PATH`."""

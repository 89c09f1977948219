"""Pictures and films of one operator's rollout, for `spinlock render`."""

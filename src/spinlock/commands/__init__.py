"""What `spinlock COMMAND` does: a module a command, loaded when it is asked for."""

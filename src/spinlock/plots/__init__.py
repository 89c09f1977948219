"""Pictures of measured values."""

"""Every claim of speed, as a command."""

"""Quick-starts for masks and poses, with their reports."""

"""Damaged files for every reader, and what must come of them: content, or the error that the reader declares."""

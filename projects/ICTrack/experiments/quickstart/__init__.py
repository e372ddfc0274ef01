"""The quick-starts of objects and of people, with their reports."""

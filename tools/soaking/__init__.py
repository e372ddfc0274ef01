"""Trainings that are killed at random moments, and what must come of them."""

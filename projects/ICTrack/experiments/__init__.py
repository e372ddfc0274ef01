"""Experiments of the project: quick-starts, ablation, and their reports and tables."""

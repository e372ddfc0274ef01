"""Experiment: who is who in footage of look-alikes, without any label."""

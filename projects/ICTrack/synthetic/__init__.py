"""Synthetic data: characters with masks and people with poses, composed from the photos and clips in ``assets/``."""

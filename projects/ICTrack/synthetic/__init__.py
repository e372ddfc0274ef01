"""Synthetic data: characters with masks and people with poses, rendered over the photos and clips in ``assets/``."""

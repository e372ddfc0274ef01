"""Ablation study of embedding heads, which are all trained on the same cached features."""

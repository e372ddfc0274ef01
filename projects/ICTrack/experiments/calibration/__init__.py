"""Thresholds calibrated on unlabeled videos, compared with thresholds tuned on labeled ones."""

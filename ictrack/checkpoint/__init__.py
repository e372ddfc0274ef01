"""Checkpoints: conversion of published weights, safe reading, atomic writing."""

from .published_weights import convert_psa_weights, convert_solo_weights, read_solo_weights
from .safe_checkpointer import SafeCheckpointer
from .weight_average import WeightAverage
from .weights_file import CheckpointError, load_weights_file

__all__ = [
    "CheckpointError",
    "SafeCheckpointer",
    "WeightAverage",
    "convert_psa_weights",
    "convert_solo_weights",
    "load_weights_file",
    "read_solo_weights",
]

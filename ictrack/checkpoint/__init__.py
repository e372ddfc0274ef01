"""Checkpoints: conversion of published weights, safe reading, atomic writing."""

from .fit import load_detector_weights
from .published import convert_weights
from .safe_checkpointer import SafeCheckpointer
from .weight_average import WeightAverage
from .weights_file import CheckpointError, load_tensors, load_weights_file

__all__ = [
    "CheckpointError",
    "SafeCheckpointer",
    "WeightAverage",
    "convert_weights",
    "load_detector_weights",
    "load_tensors",
    "load_weights_file",
]

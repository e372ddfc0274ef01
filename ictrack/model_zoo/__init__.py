"""Configurations and weights of models that track real video without any training."""

from .model_zoo import CONFIGS, config_path, get_config_file, get_local_path, get_model_file

__all__ = ["CONFIGS", "config_path", "get_config_file", "get_local_path", "get_model_file"]

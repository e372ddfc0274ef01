"""Published weights under our names, and ours under theirs: a table of names for each kind of file."""

from .convert import FORMATS, Conversion, convert_weights, find_source, published_weights
from .source import Source

__all__ = ["FORMATS", "Conversion", "Source", "convert_weights", "find_source", "published_weights"]

"""Labels of sets of videos, and their file formats: one reader and one writer each, through one representation."""

from .convert import convert_labels, describe_labels, label_format, write_labels
from .fit import LOSSES, fit
from .label_set import LabelSet, label_set
from .picture_sizes import add_sizes
from .registry import LABEL_FORMATS, LabelFormat
from .select import split_labels, take_subset

__all__ = [
    "LABEL_FORMATS",
    "LOSSES",
    "LabelFormat",
    "LabelSet",
    "add_sizes",
    "convert_labels",
    "describe_labels",
    "fit",
    "label_format",
    "label_set",
    "split_labels",
    "take_subset",
    "write_labels",
]

"""Labels of sets of videos, and their file formats: one reader and one writer each, through one representation."""

from .convert import convert_labels
from .fit import LOSSES, fit
from .label_set import LabelSet, label_set
from .registry import LABEL_FORMATS, LabelFormat

__all__ = ["LABEL_FORMATS", "LOSSES", "LabelFormat", "LabelSet", "convert_labels", "fit", "label_set"]

"""Checks of data sets that find every defect, where readers stop at the first one."""

from .defects import Defect, Defects
from .lint import Lint, lint_annotations

__all__ = ["Defect", "Defects", "Lint", "lint_annotations"]

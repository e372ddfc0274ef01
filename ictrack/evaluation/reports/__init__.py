"""Reports of a submission, as JSON and as tables for a terminal. They need neither torch nor Detectron2."""

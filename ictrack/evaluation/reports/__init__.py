"""Reports on a submission, as JSON and as tables for a terminal, without torch and Detectron2."""

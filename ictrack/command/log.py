"""The log of a sub-command, as Detectron2 formats it."""

from detectron2.utils.logger import setup_logger


def show_log() -> None:
    """Show the log of ICTrack, Detectron2 and fvcore in the terminal."""
    for name in ("ictrack", "detectron2", "fvcore"):
        setup_logger(name=name)

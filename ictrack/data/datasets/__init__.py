"""Data sets, one file a format; importing this registers the public ones with Detectron2's catalogue."""

from .youtube_vis import load_youtube_vis_json, register_all_youtube_vis, register_youtube_vis

__all__ = ["load_youtube_vis_json", "register_all_youtube_vis", "register_youtube_vis"]

"""Labeled split of YouTube-VIS for tuning: ``valid.json`` has no labels, so some training videos are held out.

A video is held out by a hash of its name, so that the split is the same wherever it is made, and YouTube-VOS, whose
videos have the same names, can leave it out of unlabeled training (``DATASETS.UNLABELED_EXCLUDE``).
"""

from __future__ import annotations

from pathlib import Path

from detectron2.data import MetadataCatalog

from ictrack.structures.categories import map_classes
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels.select import is_held_out
from ictrack.structures.youtube_vis_json import read_ground_truth, video_name
from ictrack.structures.youtube_vis_writer import write_youtube_vis


def write_local_split(annotations: str | Path, output: str | Path, share: float) -> tuple[int, int]:
    """Write the held-out videos with their tracks in categories that COCO has, too (19 of YouTube-VIS 2019).

    Args:
        annotations: Labeled YouTube-VIS file, such as ytvis_2019/train.json.
        output: JSON file to write, in the same format; videos without such a track are left out.
        share: Fraction of the videos to hold out.

    Returns:
        Numbers of videos and of tracks.

    Raises:
        AnnotationError: the file is wrong, has no labels, or no video is held out.
    """
    data = read_ground_truth(annotations)
    if data.get("annotations") is None:
        raise AnnotationError(f"{annotations}: has no annotations; give a labeled file")
    categories = sorted(data["categories"], key=lambda category: category["id"])
    coco = MetadataCatalog.get("coco_2017_train").thing_classes
    shared = set(map_classes(coco, [category["name"] for category in categories]).values())
    kept_categories = [category for index, category in enumerate(categories) if index in shared]
    kept_ids = {category["id"] for category in kept_categories}
    held_out = {video["id"] for video in data["videos"] if is_held_out(video_name(video), share)}
    tracks = [a for a in data["annotations"] if a["video_id"] in held_out and a["category_id"] in kept_ids]
    with_tracks = {track["video_id"] for track in tracks}
    videos = [video for video in data["videos"] if video["id"] in with_tracks]
    if not videos:
        raise AnnotationError(f"{annotations}: none of its videos is held out; give a larger share than {share}")
    write_youtube_vis(output, {**data, "videos": videos, "categories": kept_categories, "annotations": tracks})
    return len(videos), len(tracks)

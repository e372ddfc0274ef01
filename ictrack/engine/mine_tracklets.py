"""Mining of tracklets in unlabeled video: confident tracks of the image stage, on which the video head is trained."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.utils import comm

from ictrack.checkpoint.weights_file import CheckpointError
from ictrack.data.frame_stream import VideoReadError
from ictrack.data.tracklet_shapes import TrackletShapes, tracklet_shapes
from ictrack.data.train_loader import unlabeled_records
from ictrack.modeling.embedding.video_objectives import OBJECTIVES
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.tracks import Track, TrackRecorder
from ictrack.structures.youtube_vis_json import read_ground_truth
from ictrack.structures.youtube_vis_writer import write_youtube_vis

from .footage import open_record
from .video_tracker import VideoTracker

logger = logging.getLogger(__name__)


def needs_mining(cfg: CfgNode) -> bool:
    """Whether the video objective needs tracklets and no file of them is configured.

    Raises:
        CheckpointError: If it does, and there are no weights to mine with.
    """
    video = cfg.MODEL.VIDEO_EMBEDDING
    objective = OBJECTIVES.get(video.OBJECTIVE)
    needed = video.ENABLED and cfg.DATASETS.UNLABELED and objective is not None and objective.needs_tracklets
    if not needed or cfg.DATASETS.UNLABELED_TRACKLETS:
        return False
    if not cfg.MODEL.WEIGHTS:
        raise CheckpointError(
            f"the objective {video.OBJECTIVE!r} needs tracklets: set MODEL.WEIGHTS to those of the image stage, to "
            "mine them, or DATASETS.UNLABELED_TRACKLETS to a file of them"
        )
    return True


def with_tracklets(cfg: CfgNode) -> CfgNode:
    """``cfg``, with a file of mined tracklets where the video objective needs one and none is configured.

    The model of ``cfg.MODEL.WEIGHTS`` tracks through ``cfg.DATASETS.UNLABELED`` by the image head's embedding; all
    processes share the videos. The file is kept in ``cfg.OUTPUT_DIR``, and reused while model, videos and thresholds
    are the same.

    Raises:
        CheckpointError: If there are no weights.
        ValueError: If no tracklet is found in any video.
    """
    if not needs_mining(cfg):
        return cfg
    path = Path(cfg.OUTPUT_DIR) / "tracklets.json"
    records = unlabeled_records(cfg)
    tracking, shapes = mining_config(cfg), tracklet_shapes(cfg)
    origin = _origin(tracking, records)
    if not all(comm.all_gather(_is_from(path, origin, shapes))):
        # Mining must not change the random numbers of the training.
        with torch.random.fork_rng(devices=[]):
            tracker = VideoTracker.from_config(tracking)
        mined = mine(tracker, records[comm.get_rank() :: comm.get_world_size()], cfg)
        parts = comm.gather(mined)
        if comm.is_main_process():
            order = {record["video_name"]: i for i, record in enumerate(records)}  # the same for any processes
            videos = sorted((video for part in parts for video in part), key=lambda video: order[video["name"]])
            _write(path, videos, origin, shapes)
        comm.synchronize()
    cfg = cfg.clone()
    cfg.defrost()
    cfg.DATASETS.UNLABELED_TRACKLETS = str(path)
    cfg.freeze()
    return cfg


def mining_config(cfg: CfgNode) -> CfgNode:
    """``cfg`` with the thresholds of mining, tracking by the image head alone."""
    options = cfg.MODEL.VIDEO_EMBEDDING.TRACKLET
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT = 0.0
    cfg.TRACKER_HEADS.TRACKER_NAME = "EmbeddingTracker"
    cfg.TRACKER_HEADS.MIN_SCORE = cfg.TRACKER_HEADS.NEW_TRACK_SCORE = options.MIN_SCORE
    cfg.TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE = options.NEW_OBJECT_COSINE
    if cfg.TRACKER_HEADS.EMBEDDING.SIMILARITY == "distance_and_cosine":
        cfg.TRACKER_HEADS.EMBEDDING.SIMILARITY = "distance"  # the image head's tags alone
    return cfg


def mine(tracker: VideoTracker, records: Sequence[dict[str, Any]], cfg: CfgNode) -> list[dict[str, Any]]:
    """Tracklets in videos.

    Args:
        tracker: Tracker of the image stage.
        records: Videos of :func:`ictrack.data.datasets.unlabeled_videos.find_videos`. Unreadable ones are logged and
            left out.
        cfg: Configuration with ``MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_LENGTH``.

    Returns:
        {"name", "height", "width", "length", "tracklets"} of each video with tracklets; these are annotations of a
        YouTube-VIS file, with the "score" of each and the "scores" of its frames.
    """
    min_length, shapes = cfg.MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_LENGTH, tracklet_shapes(cfg)
    videos = []
    for count, record in enumerate(records, start=1):
        recorder = TrackRecorder()
        try:
            with open_record(record) as frames:
                for _, tracks in tracker.run(frames):
                    ids, scores, classes = (x.tolist() for x in (tracks.ID, tracks.scores, tracks.pred_classes))
                    # The stream's index, which also counts unreadable frames.
                    recorder.add(tracker.num_frames - 1, ids, scores, classes, shapes.encode(tracks))
                size = {"height": frames.height, "width": frames.width, "length": tracker.num_frames}
        except VideoReadError as error:
            logger.warning("no tracklets: %s", error)
            continue
        long_enough = [track for track in recorder.tracks.values() if len(track.scores) >= min_length]
        tracklets = [_annotation(track, tracker.num_frames, shapes) for track in long_enough]
        logger.info("tracklets: %s: %d (video %d of %d)", record["video_name"], len(tracklets), count, len(records))
        if tracklets:
            videos.append({"name": record["video_name"], **size, "tracklets": tracklets})
    return videos


def _annotation(track: Track, length: int, shapes: TrackletShapes) -> dict[str, Any]:
    return {
        "category_id": shapes.category["id"],
        "score": track.score,
        "scores": [track.scores.get(index) for index in range(length)],
        shapes.key: [track.segmentations.get(index) for index in range(length)],  # the recorder keeps poses as well
    }


def _origin(cfg: CfgNode, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Hashes of everything the tracklets depend on."""
    weights = (
        hashlib.sha256(Path(cfg.MODEL.WEIGHTS).read_bytes()).hexdigest() if Path(cfg.MODEL.WEIGHTS).is_file() else ""
    )
    settings = f"{cfg.TRACKER_HEADS}\n{cfg.MODEL}\n{cfg.INPUT.MIN_SIZE_TEST} {cfg.INPUT.MAX_SIZE_TEST}"
    videos = json.dumps(list(records))
    return {
        "weights": weights,
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
        "videos": hashlib.sha256(videos.encode()).hexdigest(),
    }


def _is_from(path: Path, origin: dict[str, Any], shapes: TrackletShapes) -> bool:
    try:
        return read_ground_truth(path, content=shapes.key).get("info") == origin
    except FileNotFoundError:
        return False
    except AnnotationError as error:
        logger.warning("mining tracklets again: %s", error)
        return False


def _write(path: Path, videos: Sequence[dict[str, Any]], origin: dict[str, Any], shapes: TrackletShapes) -> None:
    tracklets = [(i, tracklet) for i, video in enumerate(videos, start=1) for tracklet in video["tracklets"]]
    if not tracklets:
        raise ValueError(
            "no tracklet was found in any unlabeled video: lower MIN_SCORE or MIN_LENGTH of "
            "MODEL.VIDEO_EMBEDDING.TRACKLET"
        )
    content = {
        "info": origin,
        "videos": [
            {
                "id": i,
                **{key: video[key] for key in ("height", "width", "length")},
                "file_names": [f"{video['name']}/{index:05d}.jpg" for index in range(video["length"])],
            }
            for i, video in enumerate(videos, start=1)
        ],
        "categories": [shapes.category],
        "annotations": [
            {"id": n, "iscrowd": 0, **tracklet, "video_id": i} for n, (i, tracklet) in enumerate(tracklets, start=1)
        ],
    }
    write_youtube_vis(path, content)
    logger.info("%d tracklets in %d videos: %s", len(tracklets), len(videos), path)

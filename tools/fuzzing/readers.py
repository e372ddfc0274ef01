"""Readers of files by name, with the errors that each declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ictrack.checkpoint import CheckpointError, load_tensors
from ictrack.checkpoint.tensorflow_js import GraphModel
from ictrack.data.datasets.coco_images import load_coco
from ictrack.data.datasets.coco_keypoints import load_coco_keypoints
from ictrack.data.datasets.mpii import load_mpii
from ictrack.data.datasets.posetrack import load_posetrack_folder
from ictrack.data.datasets.posetrack_images import load_posetrack_images
from ictrack.data.datasets.youtube_vis import load_youtube_vis_json
from ictrack.data.frame_stream import VideoReadError
from ictrack.data.image_file import ImageFile, ImageReadError
from ictrack.data.lint import lint_annotations
from ictrack.data.random_access_video import FileVideo
from ictrack.data.tracklet_shapes import MaskShapes
from ictrack.data.tracklets import read_tracklets
from ictrack.data.video_io import open_frames
from ictrack.engine.setup import ConfigError, load_config
from ictrack.evaluation.submission import read_mots, read_posetrack_results, read_results
from ictrack.identities.gallery import Gallery, GalleryError
from ictrack.modeling.onnx_file import OnnxError, read_facts
from ictrack.structures.burst_json import burst_ground_truth
from ictrack.structures.detections import read_detections
from ictrack.structures.edit_log import read_edits
from ictrack.structures.json_files import AnnotationError, read_json
from ictrack.structures.labels import LABEL_FORMATS
from ictrack.structures.mot_text import parse_mot
from ictrack.structures.mots_png import read_png_masks
from ictrack.structures.rle import RLEError, decode_runs
from ictrack.structures.tao_json import tao_ground_truth
from ictrack.structures.track_formats import FORMATS
from ictrack.structures.youtube_vis_json import read_ground_truth

from .label_readers import LABEL_CORPUS, label_reader

# Files to damage, and those that were found to do harm.
CORPUS = Path(__file__).resolve().parents[2] / "tests" / "data" / "fuzz"
_GROUND_TRUTH = CORPUS / "youtube_vis" / "whole.json"
_IMAGES = "/images"
_FRAME = (12, 17)
# Pillow opens pictures of up to 179 million pixels.
_MAX_PICTURE = 2**30


@dataclass(frozen=True)
class Reader:
    """Reader of a kind of files.

    Attributes:
        read: Function that reads a file to its end.
        error: Error, or errors, that it declares.
        corpus: Folders of tests/data/fuzz with files to damage, or files there; its name, if empty.
        names_file: Whether the error names the file.
        max_bytes: Memory that one file may take.
    """

    read: Callable[[Path], Any]
    error: type[Exception] | tuple[type[Exception], ...] = AnnotationError
    corpus: tuple[str, ...] = ()
    names_file: bool = True
    max_bytes: int = 2**28


def _detections(name: str) -> Reader:
    """Reader of a format of detections and of every frame in it."""

    def read(path: Path) -> None:
        source = read_detections(path.parent if name == "yolo" else path, name.removesuffix("-tracks"))
        for index in range(4):
            source.frame(index, _FRAME)

    return Reader(read)


def _images(path: Path) -> None:
    with ImageFile(path) as file:
        for page in range(file.num_pages):
            file.read(page)


def _video(path: Path) -> None:
    with open_frames(str(path)) as stream:
        for _ in stream:
            pass


def _random_access(path: Path) -> None:
    video = FileVideo(str(path), num_threads=1)
    video.read([0, video.length // 2, video.length - 1], lambda position, size: 2)


def _federated(ground_truth: Callable[[Any, Path], Any]) -> Callable[[Path], Any]:
    """Reader of TAO's or BURST's ground truth, whose content an evaluation has looked at before."""

    def read(path: Path) -> None:
        content = read_json(path)
        if isinstance(content, dict):
            ground_truth(content, path)

    return read


def _graph(path: Path) -> None:
    graph = path.read_bytes()
    with torch.no_grad():
        list(GraphModel(graph, bytes(24)).convolutions())


READERS: dict[str, Reader] = {
    "coco": Reader(lambda path: load_coco(str(path), _IMAGES)),
    "coco_keypoints": Reader(lambda path: load_coco_keypoints(str(path), _IMAGES)),
    "youtube_vis": Reader(lambda path: load_youtube_vis_json(str(path), _IMAGES)),
    "youtube_vis_packed": Reader(lambda path: read_ground_truth(path, pack_runs=True), corpus=("youtube_vis",)),
    "youtube_vis_results": Reader(lambda path: read_results(path, read_ground_truth(_GROUND_TRUTH))),
    # Where the file does not say how large its images are, they are opened.
    "posetrack": Reader(
        lambda path: load_posetrack_folder(str(path.parent), _IMAGES), (AnnotationError, OSError), names_file=False
    ),
    "posetrack_images": Reader(
        lambda path: load_posetrack_images(str(path.parent), _IMAGES), corpus=("posetrack", "posetrack_2017")
    ),
    "posetrack_results": Reader(read_posetrack_results, corpus=("posetrack",)),
    "mpii": Reader(lambda path: load_mpii(str(path), _IMAGES)),
    "tao": Reader(_federated(tao_ground_truth)),
    "burst": Reader(_federated(burst_ground_truth)),
    "lint": Reader(lint_annotations, corpus=("coco", "coco_keypoints", "youtube_vis", "posetrack")),
    "tracklets": Reader(lambda path: read_tracklets(path, MaskShapes()), corpus=("youtube_vis",)),
    "edit_log": Reader(read_edits),
    **{name: _detections(name) for name in ("coco-tracks", "csv", "cvat", "json-lines", "labelme", "mot", "yolo")},
    **{
        f"labels-{name}": Reader(
            label_reader(name, CORPUS),
            corpus=LABEL_CORPUS.get(name, ()),
            max_bytes=_MAX_PICTURE if name in ("davis", "mots-png") else 2**28,
        )
        for name, one in LABEL_FORMATS.items()
        if not one.package or find_spec(one.package.replace("-", "_"))
    },
    "mots": Reader(read_mots),
    "mots-png": Reader(lambda path: list(read_png_masks(path)), max_bytes=_MAX_PICTURE),
    "parquet": Reader(FORMATS["parquet"].read),
    "mot_rows": Reader(lambda path: parse_mot(path.read_bytes(), str(path)), corpus=("mot",)),
    "rle": Reader(lambda path: decode_runs([read_json(path)]), (RLEError, AnnotationError), names_file=False),
    "image": Reader(_images, ImageReadError, max_bytes=_MAX_PICTURE),
    "video": Reader(_video, VideoReadError),
    "random_access_video": Reader(_random_access, VideoReadError, corpus=("video",)),
    "config": Reader(lambda path: load_config(str(path)), ConfigError),
    "weights": Reader(load_tensors, CheckpointError),
    "onnx": Reader(read_facts, OnnxError),
    "tfjs": Reader(_graph, ValueError, names_file=False),
    "identities": Reader(Gallery.load, GalleryError),
}

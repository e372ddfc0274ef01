"""Report of the mask quick-start: film strips, videos, tables and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.data import detection_utils as utils
from detectron2.structures import Instances
from PIL import Image

from experiments.association.masks import (
    DetectedClip,
    DetectedFrame,
    Method,
    decode_masks,
    spatial_methods,
    track_clip,
)
from experiments.html_report import (
    Filmstrip,
    FilmstripRow,
    LossCurves,
    Section,
    Table,
    Text,
    Videos,
    read_metrics,
    write_report,
)
from ictrack.engine.video_run import track_video
from ictrack.engine.video_tracker import VideoTracker
from ictrack.visualization.draw_tracks import TrackDrawer

IMAGE_ONLY, OURS, BASELINE = "learnt from images", "learnt from images and clips", spatial_methods()[0].name
# File of the real clip that a published detector tracked before the training, beside the report.
REAL_CLIP = "real_clip.mp4"
# Smallest IoU of a track and its object.
_MATCH_IOU = 0.5
# Frames drawn of each video.
_VIDEO_FRAMES = 80


def write_quickstart_report(
    training_metrics: Mapping[str, Path],
    tracking_cfg: CfgNode,
    clips: Sequence[DetectedClip],
    methods: Sequence[Method],
    metrics: dict[str, Any],
    output: Path,
) -> Path:
    """Write ``output/report.html`` and the mp4s beside it.

    Args:
        training_metrics: Heading -> "metrics.json" of a training.
        tracking_cfg: Configuration of the trained model with its tuned tracker.
        clips: Evaluation clips at the smallest skip.
        methods: Methods of the comparison; ``OURS`` and ``BASELINE`` are shown side by side.
        metrics: Results of the quick-start ("skips" -> skip -> method -> scores, "health" -> head -> metrics).
        output: Folder to write to.

    Returns:
        Path of the report.
    """
    by_name = {method.name: method for method in methods}
    shown = [by_name[OURS], by_name[BASELINE]]
    skips = [int(skip) for skip in metrics["skips"]]
    small, large = min(skips), max(skips)
    picked = _pick_clips(metrics["skips"][str(large)])
    real = "By the published NanoDet-g and features of an ImageNet classifier, which nothing here trained."
    sections: list[Section] = [
        Videos("Before any training", {"Real clip": output / REAL_CLIP}, real),
        Text("What was measured", _summary(metrics)),
    ]
    step = large // small
    for description, index in picked.items():
        number, phase = divmod(index, step)
        shown_clip = clips[number].every(step, phase)
        rows = [
            _strip_row(shown_clip, method, tracking_cfg, metrics["skips"][str(large)][method.name], index)
            for method in shown
        ]
        columns = [f"frame {large * column + small * phase}" for column in range(len(shown_clip.frames))]
        caption = (
            f"Every {large}th frame of an evaluation clip, {description}. The same detections in both rows; "
            "a color is an identity."
        )
        sections.append(Filmstrip(f"Clip {number + 1}: {description}", rows, columns, caption, width=180))
        if len(sections) == 3:
            Image.fromarray(strip_image(rows)).save(output / "tracks.jpg", quality=90)
    sections += [_table(int(skip), rows) for skip, rows in sorted(metrics["skips"].items(), key=lambda kv: -int(kv[0]))]
    sections.append(_real_clip_table(metrics["real_clip"]))
    median = next(iter(picked.values())) // step
    clip = (_root() / clips[median].video["file_names"][0]).parent
    drawn = track_source(VideoTracker.from_config(tracking_cfg), clip, output / "clip.mp4")
    sections.append(Videos("Video", {f"Clip {median + 1}": drawn}, f"Tracks by what was {OURS}."))
    sections.append(_health_table(metrics["health"]))
    sections += training_curves(training_metrics)
    path = output / "report.html"
    write_report(
        path,
        "ICTrack quick-start",
        sections,
        summary="Tracking trained on labeled images and unlabeled clips: no label of a video was used.",
    )
    return path


def training_curves(training_metrics: Mapping[str, Path]) -> list[LossCurves]:
    """Curves of each training's "metrics.json" under its heading, without those that are 0 throughout."""
    return [
        LossCurves(heading, {name: points for name, points in read_metrics(file).items() if any(points[1])})
        for heading, file in training_metrics.items()
    ]


def _pick_clips(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Description -> position, among all phases of all clips, of the median, largest and smallest gain in IDF1."""
    gain = np.subtract(rows[OURS]["IDF1_per_clip"], rows[BASELINE]["IDF1_per_clip"])
    order = np.argsort(gain, kind="stable")
    return {
        f"the median gain in IDF1 ({gain[order[len(order) // 2]]:+.2f})": int(order[len(order) // 2]),
        f"the largest gain ({gain[order[-1]]:+.2f})": int(order[-1]),
        f"the smallest gain ({gain[order[0]]:+.2f})": int(order[0]),
    }


def _summary(metrics: dict[str, Any]) -> list[str]:
    stills = metrics["stills"]["agnostic"]
    paragraphs = [
        "All methods track **the same detections** of clips whose characters and backgrounds were in no training "
        "image. Each method's threshold, and one smallest detection score for all of them, were chosen on a separate "
        "set of clips, with equally many tries. The images are synthetic (rendered characters over real photos and "
        "clips). They teach the method and not the world: on real pictures this detector is worse than the published "
        "one above, and no score here says anything about YouTube-VIS.",
        f"On unseen images the detector has a class-agnostic mask AP50 of **{stills['AP50']:.3f}**, "
        f"AP {stills['AP']:.3f}.",
    ]
    for skip, rows in metrics["skips"].items():
        ours = f"With {every_nth(int(skip))} frame, what was {OURS} (IDF1 {rows[OURS]['IDF1']:.3f})"
        ahead = [name for name, scores in rows.items() if scores["IDF1"] > rows[OURS]["IDF1"]]
        listed = ", ".join(f"{name} ({rows[name]['IDF1']:.3f})" for name in ahead)
        paragraphs.append(f"{ours} is **not** the best; ahead: {listed}." if ahead else f"{ours} has the highest IDF1.")
    return paragraphs


def every_nth(number: int) -> str:
    """Text such as "every 4th"."""
    return "every " + str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number, "th")


def _table(skip: int, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = ["association by", "IDF1", "id switches", "AP (one class)", "AP50 (one class)", "AP", "AP50"]
    keys = ("IDF1", "IDSW", "agnostic_AP", "agnostic_AP50", "AP", "AP50")
    return Table(
        f"{every_nth(skip).capitalize()} frame",
        columns,
        [[name, *(int(f[key]) if key == "IDSW" else f[key] for key in keys)] for name, f in rows.items()],
        better={column: "min" if column == "id switches" else "max" for column in columns[1:]},
        highlight=[OURS],
        caption="IDF1 and id switches: any category may match. AP is YouTube-VIS's, over all categories or with one.",
    )


def _real_clip_table(rows: Mapping[str, Mapping[str, float]]) -> Table:
    columns = ["association by", "identities", "consistency"]
    return Table(
        "On a real clip",
        columns,
        [[name, int(scores["identities"]), scores["consistency"]] for name, scores in rows.items()],
        better={"identities": "min", "consistency": "max"},
        highlight=[OURS],
        caption="Every 8th frame of the real clip: one woman and one dog, in boxes of the published detector, so "
        "that 2 identities are right. Consistency is the share of boxes with the most frequent identity of their "
        "class. One clip: no more than a glance at what heads trained on synthetic pictures do on real ones.",
    )


def _health_table(health: Mapping[str, Mapping[str, float]]) -> Table:
    columns = {
        "cell retrieval@1": "cell_retrieval",
        "mean cosine": "mean_cosine",
        "mean norm": "mean_norm",
        "R² of x": "position_r2_x",
        "R² of y": "position_r2_y",
    }
    return Table(
        "Health of the embeddings, without labels",
        ["head", *columns],
        [[name, *(scores[key] for key in columns.values())] for name, scores in health.items()],
        better={"cell retrieval@1": "max"},
        caption="On frames of clips that nothing was trained on. Cell retrieval@1: share of the cells of one view of a "
        "frame whose nearest neighbor in another view shows the same location. A mean cosine near 1 is a collapse; R² "
        "says how well a linear map predicts the location of a cell from its embedding, which tells a tracker nothing "
        "about identity (0 or less: not at all).",
    )


def _tracked_frames(clip: DetectedClip, method: Method, cfg: CfgNode, scores: Mapping[str, Any]) -> list[Instances]:
    tracker = method.tracker(cfg, scores["threshold"], scores["min_score"])
    tracked = track_clip(clip, method.feature, tracker)
    return [_instances(frame, rows, ids) for frame, (rows, ids) in zip(clip.frames, tracked)]


def _instances(frame: DetectedFrame, rows: np.ndarray, ids: np.ndarray) -> Instances:
    tracked = frame.detections[torch.from_numpy(rows)]
    tracked.pred_masks = decode_masks([frame.rles[row] for row in rows], tracked.image_size)
    tracked.ID = torch.from_numpy(ids)
    return tracked


def _id_switches(clip: DetectedClip, tracked: Sequence[Instances]) -> dict[int, str]:
    """Frame -> text with the number of objects whose id differs from when they were last tracked."""
    last: dict[int, int] = {}
    marks = {}
    for index, (frame, instances) in enumerate(zip(clip.frames, tracked)):
        switches = 0
        for gt, similarity in zip(frame.gt_index, frame.similarity[:, instances.row.numpy()]):
            if len(similarity) and similarity.max() >= _MATCH_IOU:
                identity = int(instances.ID[int(similarity.argmax())])
                switches += last.get(gt, identity) != identity
                last[gt] = identity
        if switches:
            marks[index] = f"{switches} id switch{'es' if switches > 1 else ''}"
    return marks


def _strip_row(clip: DetectedClip, method: Method, cfg: CfgNode, scores: Mapping[str, Any], index: int) -> FilmstripRow:
    tracked = _tracked_frames(clip, method, cfg, scores)
    drawer = TrackDrawer(scale=2, show_scores=False, trail_length=0, emphasis=1.6)
    images = [drawer.draw(image, instances) for image, instances in zip(_read(clip), tracked)]
    note = f"IDF1 {scores['IDF1_per_clip'][index]:.2f}"
    return FilmstripRow(method.name, images, note, _id_switches(clip, tracked))


def strip_image(rows: Sequence[FilmstripRow]) -> np.ndarray:
    """Film strip as one RGB image, without its labels."""
    gap = 12
    padded = [
        [np.pad(image, ((0, gap), (0, gap), (0, 0)), constant_values=255) for image in row.images] for row in rows
    ]
    strip = np.concatenate([np.concatenate(images, axis=1) for images in padded])[:-gap, :-gap, ::-1]
    return np.ascontiguousarray(strip)


def _read(clip: DetectedClip) -> list[np.ndarray]:
    return [utils.read_image(str(_root() / name), format="BGR") for name in clip.video["file_names"]]


def _root() -> Path:
    return Path(MetadataCatalog.get("ictrack_sample_clips_val").image_root)


def track_source(tracker: VideoTracker, source: Path, path: Path) -> Path:
    """Track a folder of frames or a video, and draw its tracks to ``path``."""
    track_video(tracker, str(source), path, max_frames=_VIDEO_FRAMES)
    return path

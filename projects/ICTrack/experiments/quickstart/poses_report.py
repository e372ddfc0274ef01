"""Report of the pose quick-start: film strips, videos, tables and curves."""

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

from experiments.association.masks import Method
from experiments.association.poses import PoseClip, PoseSetting, PoseStudy, Tracks, unit_scores
from experiments.html_report import (
    Filmstrip,
    FilmstripRow,
    Section,
    Table,
    Text,
    Videos,
    write_report,
)
from ictrack.engine.video_tracker import VideoTracker
from ictrack.structures.joints import joint_set
from ictrack.visualization.draw_tracks import TrackDrawer

from .masks_report import every_nth, strip_image, track_source, training_curves

# Joints of a lower score are not drawn.
_DRAWN_SCORE = 0.15


def write_pose_report(
    training_metrics: Mapping[str, Path],
    tracking_cfg: CfgNode,
    studies: Mapping[int, PoseStudy],
    methods: Sequence[Method],
    shown: tuple[str, str],
    metrics: Mapping[str, Any],
    output: Path,
    real_clip: Path | None,
) -> Path:
    """Write ``output/report.html``, the mp4s and ``tracks.jpg`` beside it.

    Args:
        training_metrics: Heading -> "metrics.json" of a training.
        tracking_cfg: Configuration of the trained model with its tuned tracker.
        studies: Skip -> study of the evaluation clips.
        methods: Methods of the comparison.
        shown: Names of two methods shown side by side, ours first.
        metrics: Results of the quick-start ("skips" -> skip -> method -> scores).
        output: Folder to write to.
        real_clip: Video or folder of frames to track as well.

    Returns:
        Path of the report.
    """
    skip = max(studies)
    by_name = {method.name: method for method in methods}
    rows = metrics["skips"][str(skip)]
    tracked = {name: studies[skip].tracks(by_name[name], setting_of(rows[name])) for name in shown}
    root = Path(MetadataCatalog.get(f"ictrack_sample_pose_clips_val_skip{min(studies)}").image_root)
    sections: list[Section] = [Text("What was measured", _summary(metrics, shown[0]))]
    sources: dict[str, Path] = {}
    for description, unit in _pick_clips(rows, shown).items():
        strip = []
        for name, tracks in tracked.items():
            clip, tracks_of_clip = next(one for one in tracks if one[0].unit == unit)
            note = f"IDF1 {unit_scores(rows[name]['counts'][unit])['IDF1']:.2f} over all phases"
            strip.append(FilmstripRow(name, _draw(tracking_cfg, root, clip, tracks_of_clip), note))
        sources[f"Clip {unit + 1}"] = (root / clip.data["images"][0]["file_name"]).parent
        columns = [f"frame {skip * column}" for column in range(len(strip[0].images))]
        caption = (
            f"{every_nth(skip).capitalize()} frame of an evaluation clip, {description}. The same detections in both "
            "rows; a color is an identity."
        )
        sections.append(Filmstrip(f"Clip {unit + 1}: {description}", strip, columns, caption, width=235))
        if len(sections) == 2:
            Image.fromarray(strip_image(strip)).save(output / "tracks.jpg", quality=90)
    sections += [_table(int(k), metrics["skips"][k], shown[0]) for k in sorted(metrics["skips"], key=int, reverse=True)]
    if real_clip is not None:
        sources["Real clip"] = real_clip
    tracker = VideoTracker.from_config(tracking_cfg)
    videos = {
        name: track_source(tracker, source, output / f"{name.lower().replace(' ', '_')}.mp4")
        for name, source in sources.items()
    }
    caption = (
        f"Tracks of our method; of evaluation clips {every_nth(min(studies))} frame. The detector has seen synthetic "
        "images only."
    )
    sections.append(Videos("Videos", videos, caption))
    sections += training_curves(training_metrics)
    path = output / "report.html"
    write_report(
        path,
        "ICTrack pose quick-start",
        sections,
        summary="Pose tracking trained on labeled images and unlabeled clips: no label of a video was used.",
    )
    return path


def setting_of(scores: Mapping[str, Any]) -> PoseSetting:
    """Setting that scores were measured with."""
    return PoseSetting(scores["threshold"], scores["min_score"], scores["min_joint_score"])


def _pick_clips(rows: Mapping[str, Mapping[str, Any]], shown: tuple[str, str]) -> dict[str, int]:
    """Description -> unit of the median, largest and smallest gain in IDF1 of the first method over the second."""
    ours, theirs = ([unit_scores(counts)["IDF1"] for counts in rows[name]["counts"]] for name in shown)
    gain = np.subtract(ours, theirs)
    order = np.argsort(gain, kind="stable")
    places = {"median": len(order) // 2, "largest": -1, "smallest": 0}
    return {
        f"the {which} gain in IDF1 ({gain[order[place]]:+.2f})": int(order[place]) for which, place in places.items()
    }


def _draw(cfg: CfgNode, root: Path, clip: PoseClip, tracks: Tracks) -> list[np.ndarray]:
    joints = joint_set(cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET)
    drawer = TrackDrawer(
        scale=2, show_scores=False, trail_length=0, emphasis=1.4, joints=joints, min_joint_score=_DRAWN_SCORE
    )
    images = []
    for image, frame, (rows, ids) in zip(clip.data["images"], clip.frames, tracks):
        detections = frame.detections[torch.from_numpy(rows)]
        people = Instances(
            detections.image_size,
            pred_boxes=detections.pred_boxes,
            pred_keypoints=detections.pred_keypoints,
        )
        people.ID = torch.from_numpy(ids)
        images.append(drawer.draw(utils.read_image(str(root / image["file_name"]), format="BGR"), people))
    return images


def _summary(metrics: Mapping[str, Any], ours: str) -> list[str]:
    single, multi = metrics["stills"]["single_scale"], metrics["stills"]["multi_scale"]
    submission = metrics["submission"]
    better = "no lower" if multi["AP"] >= single["AP"] else "**lower**"
    paragraphs = [
        "All methods track **the same detections** of clips whose clothes and scenery were in no training image. "
        "Each method's thresholds, and one smallest detection score for all of them, were chosen on a separate set of "
        "clips, with equally many tries. The people are synthetic, over real scenery: no score here says anything "
        "about PoseTrack.",
        f"On unseen images the detector has an OKS-AP of **{single['AP']:.3f}** (AP50 {single['AP50']:.3f}). With "
        f"several scales it is {better}: {multi['AP']:.3f}.",
        f"The tracks of every frame that was looked at were written as a PoseTrack submission, with "
        f"{len(submission['errors'])} errors and {len(submission['warnings'])} warnings of the validator; "
        f"{submission['num_figures']} scores of the submission read back differ by at most "
        f"{submission['largest_difference']:.1g} from those in memory.",
        *(f"`{line}`" for line in [*submission["errors"], *submission["warnings"]]),
    ]
    for skip, rows in metrics["skips"].items():
        ahead = [f"{name} ({f['IDF1']:.3f})" for name, f in rows.items() if f["IDF1"] > rows[ours]["IDF1"]]
        start = f"With {every_nth(int(skip))} frame, {ours} (IDF1 {rows[ours]['IDF1']:.3f})"
        paragraphs.append(f"{start} is **not** the best; ahead: {', '.join(ahead)}." if ahead else f"{start} is best.")
    return paragraphs


def _table(skip: int, rows: Mapping[str, Mapping[str, Any]], ours: str) -> Table:
    columns = ["association by", "MOTA", "IDF1", "HOTA", "AssA", "AP", "id switches"]
    return Table(
        f"{every_nth(skip).capitalize()} frame",
        columns,
        [[name, *(f[key] for key in columns[1:-1]), int(f["IDSW"])] for name, f in rows.items()],
        better={column: "min" if column == "id switches" else "max" for column in columns[1:]},
        highlight=[ours],
        caption="MOTA and AP: PoseTrack's strict protocol, means over joints. IDF1, HOTA, AssA and id switches: whole "
        "people, matched by OKS.",
    )

"""Detectron2 evaluator of online pose tracking on data sets in PoseTrack18 format."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Instances
from detectron2.utils import comm

from ictrack.structures.joints import JOINT_SETS, POSETRACK_18, JointSet, configured_joints, joints_of, submitted_poses

from .detector_classes import detector_classes
from .evaluator import TrackerFactory, VideoEvaluator, describe
from .reports.posetrack import posetrack_report, posetrack_tables
from .reports.tables import are_equal, in_percent
from .submission import PoseTrackWriter

logger = logging.getLogger(__name__)

PERSON = "person"


class PoseTrackEvaluator(VideoEvaluator):
    """Evaluator that tracks the people of each sequence and scores their poses.

    A sequence's tracks are written to ``<output_dir>/<dataset_name>/<sequence>.json`` at its end, so that memory does
    not grow with the number of sequences. The folder is a submission for PoseTrack's server, and is read back to be
    scored. With several processes each writes its own sequences.
    """

    def __init__(
        self,
        dataset_name: str,
        tracker: CfgNode | TrackerFactory,
        output_dir: str,
        *,
        joints: JointSet | None = None,
        person_class: int = 0,
        min_joint_score: float = 0.0,
    ) -> None:
        """
        Args:
            dataset_name: Name given to :func:`ictrack.data.datasets.register_posetrack`.
            tracker: Configuration whose TRACKER_HEADS names the tracker, or a function of (height, width) that returns
                a tracker. A configuration also sets the class by :func:`detector_classes`, the joints by their names
                in the first training set's metadata (a PointSetAnchor's are MODEL.POINT_SET_ANCHOR.JOINT_SET), and
                TEST.MIN_JOINT_SCORE.
            output_dir: Folder that the submission's folder is made in.
            joints: Joints of a model's ``pred_keypoints`` (N, K, 3), which are (x, y, score). None: COCO's if there are
                17, PoseTrack's if there are 15.
            person_class: Person class of the model; detections of other classes are dropped.
            min_joint_score: Score below which joints, and people without other joints, are left out.

        Raises:
            AnnotationError: the data set's files are wrong.
        """
        super().__init__(tracker)
        self._dataset_name = dataset_name
        self._joints, self._person_class, self._min_joint_score = joints, person_class, min_joint_score
        if isinstance(tracker, CfgNode):
            self._min_joint_score = tracker.TEST.MIN_JOINT_SCORE
            self._read_configuration(tracker)
            self._joints = configured_joints(tracker) or self._joints
        self._gt_folder = Path(MetadataCatalog.get(dataset_name).annotation_folder)
        self._videos = DatasetCatalog.get(dataset_name)
        self._folder = Path(output_dir) / dataset_name

    def reset(self) -> None:
        super().reset()
        if comm.is_main_process() and self._folder.is_dir():
            for path in self._folder.glob("[!.]*.json"):  # left by a previous evaluation
                path.unlink()
        comm.synchronize()
        self._writer = PoseTrackWriter(self._folder)

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Score the sequences of all processes, if the data set has annotations.

        Returns:
            Scores on the main process (None on others): "keypoints_video", official AP in percent and "AP-<joint>";
            "keypoints_tracking", MOTA, MOTP, precision and recall, averaged over joints, with HOTA, IDF1 and id
            switches of whole people; and both with the suffix "_strict" where the strict protocol differs. NaN where
            nothing can be measured. Empty without annotations.
        """
        self._end_video()
        comm.synchronize()
        if not comm.is_main_process():
            return None
        if not any(video["has_annotations"] for video in self._videos):
            logger.info("%s has no annotations; results are in %s", self._dataset_name, self._folder)
            return OrderedDict()
        report = posetrack_report(self._gt_folder, self._folder)
        logger.info("%s:\n%s", self._dataset_name, posetrack_tables(report, by_joint=True))
        for text in report["warnings"]:
            logger.warning("%s", text)
        return _scores(report)

    def _read_configuration(self, cfg: CfgNode) -> None:
        classes = detector_classes(cfg)
        if classes is not None:
            if PERSON not in classes:
                raise ValueError(f"the detector's classes ({', '.join(classes)}) have no {PERSON}; see MODEL.CLASSES")
            self._person_class = classes.index(PERSON)
        names = MetadataCatalog.get(cfg.DATASETS.TRAIN[0]).get("keypoint_names") if cfg.DATASETS.TRAIN else None
        if names is not None:
            known = [joints for joints in JOINT_SETS.values() if list(joints.names) == list(names)]
            if not known:
                raise ValueError(f"{cfg.DATASETS.TRAIN[0]}: its joints are those of no known data set: {names}")
            self._joints = known[0]

    def _select(self, frame: Mapping[str, Any], instances: Instances) -> Instances:
        """People with keypoints. Raises ValueError if detections have none."""
        if len(instances) == 0:
            return instances
        if not instances.has("pred_keypoints"):
            raise ValueError(f"{describe(frame)}: detections have no pred_keypoints, which are evaluated")
        return instances[(instances.pred_classes == self._person_class).nonzero().squeeze(1)]

    def _start(self, frame: Mapping[str, Any]) -> None:
        video = self._videos[frame["video_id"]]
        self._writer.start(video["video_name"], video["images"])

    def _record(self, frame: Mapping[str, Any], tracked: Instances) -> None:
        if len(tracked) == 0:
            self._writer.add(frame["frame_index"], [], np.zeros((0, len(POSETRACK_18), 3)))
            return
        keypoints = tracked.pred_keypoints.to(torch.float64).numpy()
        try:
            joints = self._joints or joints_of(keypoints.shape[1])
        except ValueError as error:
            raise ValueError(f"{describe(frame)}: pred_keypoints: {error}") from None
        if keypoints.shape[1:] != (len(joints), 3):
            raise ValueError(f"{describe(frame)}: pred_keypoints are {keypoints.shape}, not (N, {len(joints)}, 3)")
        poses, seen = submitted_poses(keypoints, joints, self._min_joint_score)
        self._writer.add(frame["frame_index"], tracked.ID.numpy()[seen].tolist(), poses[seen])

    def _finish(self, video: Mapping[str, Any]) -> None:
        self._writer.finish()


def _scores(report: Mapping[str, Any]) -> OrderedDict[str, dict[str, float]]:
    """Scores of a report in percent, as :meth:`PoseTrackEvaluator.evaluate` returns them."""
    scores: OrderedDict[str, dict[str, float]] = OrderedDict()
    for protocol, suffix in (("official", ""), ("strict", "_strict")):
        precision, mot = report[protocol]["AP"]["ap"], report[protocol]["MOT"]
        tasks = {
            "keypoints_video": {
                "AP": precision["total"],
                **{f"AP-{joint}": value for joint, value in precision.items() if joint != "total"},
            },
            "keypoints_tracking": {
                title: mot[key]["total"]
                for title, key in (("MOTA", "mota"), ("MOTP", "motp"), ("precision", "pre"), ("recall", "rec"))
            },
        }
        for task, fractions in tasks.items():
            percent = in_percent(fractions)
            if not suffix or not are_equal(percent, scores[task]):
                scores[f"{task}{suffix}"] = percent
    scores["keypoints_tracking"].update(
        in_percent({"HOTA": report["hota"]["HOTA"], "IDF1": report["identity"]["IDF1"]}), IDSW=report["clear"]["IDSW"]
    )
    return scores

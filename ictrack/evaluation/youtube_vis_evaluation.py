"""Detectron2 evaluator of online tracking on data sets in YouTube-VIS format."""

from __future__ import annotations

import logging
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.structures import Instances
from detectron2.utils import comm

from ictrack.structures.categories import map_classes
from ictrack.structures.tracks import TrackRecorder, encode_mask
from ictrack.structures.youtube_vis_json import read_ground_truth
from ictrack.tracking.instances import select_rows

from .detector_classes import detector_classes
from .evaluator import TrackerFactory, VideoEvaluator, describe
from .metrics import VideoEvaluation, evaluate_videos
from .reports.association import SHOWN_COUNTS, SHOWN_RATIOS
from .reports.tables import are_equal, in_percent
from .reports.youtube_vis import report_of, youtube_vis_tables
from .submission import ResultsWriter, read_results

logger = logging.getLogger(__name__)


class YouTubeVISEvaluator(VideoEvaluator):
    """Evaluator that tracks the detections of each video and scores the tracks.

    Each frame's tracked masks are encoded at once, and a video's tracks are written to
    ``<output_dir>/<dataset_name>/results.json`` at its end, so that memory does not grow with the number of frames or
    videos and the file can be submitted to the data set's server.
    """

    def __init__(
        self,
        dataset_name: str,
        tracker: CfgNode | TrackerFactory,
        output_dir: str,
        *,
        class_map: Mapping[int, int] | None = None,
    ) -> None:
        """
        Args:
            dataset_name: Name given to :func:`ictrack.data.datasets.register_youtube_vis`.
            tracker: Configuration whose TRACKER_HEADS names the tracker, or a function of (height, width) that returns
                a tracker.
            output_dir: Folder that the results' folder is made in.
            class_map: Map of the model's classes to the data set's, both contiguous; detections of other classes are
                dropped and counted. None: with a configuration the detector's classes (:func:`detector_classes`) are
                mapped by name (COCO's to YouTube-VIS's); otherwise the classes are the same.

        Raises:
            AnnotationError: the data set's file is wrong.
            ValueError: the configuration does not state the detector's classes, or the data set has none of them.
        """
        super().__init__(tracker)
        self._dataset_name = dataset_name
        self._gt = read_ground_truth(MetadataCatalog.get(dataset_name).json_file)
        categories = sorted(self._gt["categories"], key=lambda category: category["id"])
        self._category_ids = [category["id"] for category in categories]
        self._class_names = [category["name"] for category in categories]
        self._model_names: list[str] | None = None
        if isinstance(tracker, CfgNode) and class_map is None:
            class_map = self._map_detector_classes(tracker)
        self._class_map = class_map
        self._folder = Path(output_dir) / dataset_name
        self._writer: ResultsWriter | None = None

    def reset(self) -> None:
        super().reset()
        if self._writer is not None:
            self._writer.close()
        self._writer = ResultsWriter(self._part_path())
        self._num_dropped: Counter[int] = Counter()

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Write the results of all processes, and score them if the data set has annotations.

        Returns:
            Scores on the main process (None on others): "segm_video", official AP and AR in percent, and
            "AP-<category>"; "segm_video_strict", the strict protocol's where it differs; "association": HOTA, MOTA and
            IDF1 in percent and id switches as counts; and "segm_video" and "association" with the suffix
            "_class_agnostic", where a track may match any category. NaN where nothing can be measured. Empty without
            annotations.
        """
        assert self._writer is not None, "reset() comes before evaluate()"
        self._end_video()
        self._writer.close()
        path = self._gather()
        num_dropped = sum((Counter(part) for part in comm.gather(self._num_dropped)), Counter())
        if path is None:
            return None
        if num_dropped:
            logger.warning(
                "Dropped %d detections of classes that %s lacks; by class of the model: %s",
                sum(num_dropped.values()),
                self._dataset_name,
                {self._name(category): count for category, count in sorted(num_dropped.items())},
            )
        if self._gt.get("annotations") is None:
            logger.info("%s has no annotations; results are in %s", self._dataset_name, path)
            return OrderedDict()
        pred = read_results(path, self._gt)
        scores: OrderedDict[str, dict[str, float]] = OrderedDict()
        for suffix, class_agnostic in (("", False), ("_class_agnostic", True)):
            evaluation = evaluate_videos(self._gt, pred, class_agnostic=class_agnostic)
            report = report_of(evaluation)
            tables = youtube_vis_tables(report, by_category=not class_agnostic)
            logger.info("%s%s:\n%s", self._dataset_name, ", any category" if class_agnostic else "", tables)
            for text in report["warnings"]:
                logger.warning("%s: %s", path, text)
            scores.update(_scores(evaluation, suffix))
        return scores

    def _map_detector_classes(self, cfg: CfgNode) -> dict[int, int]:
        names = detector_classes(cfg)
        if names is None:
            raise ValueError(
                "MODEL.CLASSES is empty and DATASETS.TRAIN does not tell the detector's classes, which are mapped to "
                f"{self._dataset_name}: give their names, or a data set that has them, in MODEL.CLASSES"
            )
        self._model_names = names
        if names == self._class_names:
            return {index: index for index in range(len(names))}
        class_map = map_classes(names, self._class_names)
        if not class_map:
            raise ValueError(
                f"none of the detector's classes ({', '.join(names)}) is one of {self._dataset_name} "
                f"({', '.join(self._class_names)}); see MODEL.CLASSES"
            )
        logger.info(
            "%d of the detector's %d classes are mapped by name to %d of the %d of %s",
            len(class_map),
            len(names),
            len(set(class_map.values())),
            len(self._class_names),
            self._dataset_name,
        )
        return class_map

    def _start(self, frame: Mapping[str, Any]) -> None:
        self._recorder = TrackRecorder()

    def _record(self, frame: Mapping[str, Any], tracked: Instances) -> None:
        """Encode the masks of a frame. Raises ValueError if there are none, or not of the frame's size."""
        if len(tracked) == 0:
            return
        if not tracked.has("pred_masks"):
            raise ValueError(f"{describe(frame)}: detections have no pred_masks, which are evaluated")
        masks = tracked.pred_masks.numpy()
        if masks.shape[1:] != (frame["height"], frame["width"]):
            raise ValueError(
                f"{describe(frame)}: masks are {masks.shape[1]} x {masks.shape[2]}, the frame is "
                f"{frame['height']} x {frame['width']}"
            )
        self._recorder.add(
            frame["frame_index"],
            tracked.ID.tolist(),
            tracked.scores.tolist(),
            tracked.pred_classes.tolist(),
            [encode_mask(mask) for mask in masks],
        )

    def _select(self, frame: Mapping[str, Any], instances: Instances) -> Instances:
        """Detections with the data set's classes, without classes that it lacks."""
        if len(instances) == 0:
            return instances
        classes = instances.pred_classes.tolist()
        if self._class_map is None:
            if max(classes) >= len(self._class_names):
                raise ValueError(
                    f"{describe(frame)}: class {max(classes)} of the model is none of the {len(self._class_names)} of "
                    f"{self._dataset_name}; give a class_map"
                )
            return instances
        if self._model_names is not None and max(classes) >= len(self._model_names):
            raise ValueError(
                f"{describe(frame)}: the detector has a class {max(classes)}, but MODEL.CLASSES (or the first of "
                f"DATASETS.TRAIN) names {len(self._model_names)} classes"
            )
        keep = [row for row, category in enumerate(classes) if category in self._class_map]
        if len(keep) < len(classes):
            self._num_dropped.update(category for category in classes if category not in self._class_map)
        mapped = select_rows(instances, np.array(keep, dtype=np.int64))  # no copy of masks where all are kept
        mapped.pred_classes = mapped.pred_classes.new_tensor([self._class_map[classes[row]] for row in keep])
        return mapped

    def _name(self, category: int) -> int | str:
        """Name of a model's class, or its number if the name is unknown."""
        return category if self._model_names is None else self._model_names[category]

    def _finish(self, video: Mapping[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(self._recorder.results(video["video_id"], video["video_length"], self._category_ids))

    def _part_path(self) -> Path:
        name = "results.json" if comm.get_world_size() == 1 else f"results.rank{comm.get_rank()}.json"
        return self._folder / name

    def _gather(self) -> Path | None:
        """File with all processes' results in the data set's order, on the main process; None on others."""
        if comm.get_world_size() == 1:
            return self._part_path()
        parts = comm.gather(read_results(self._part_path(), self._gt))
        os.remove(self._part_path())
        if not comm.is_main_process():
            return None
        order = {video["id"]: i for i, video in enumerate(self._gt["videos"])}
        results = sorted((result for part in parts for result in part), key=lambda result: order[result["video_id"]])
        path = self._folder / "results.json"
        with ResultsWriter(path) as writer:
            writer.write(results)
        return path


def _scores(evaluation: VideoEvaluation, suffix: str) -> OrderedDict[str, dict[str, float]]:
    """Scores of an evaluation in percent, as :meth:`YouTubeVISEvaluator.evaluate` returns them."""
    scores: OrderedDict[str, dict[str, float]] = OrderedDict()
    summaries = {protocol: result.summary() for protocol, result in evaluation.ap.items()}
    scores[f"segm_video{suffix}"] = in_percent(summaries["official"])
    if not are_equal(summaries.get("strict", summaries["official"]), summaries["official"]):
        scores[f"segm_video{suffix}_strict"] = in_percent(summaries["strict"])
    ratios, counts = (
        {key: getattr(evaluation, metric).total[key] for metric, keys in shown.items() for key in keys}
        for shown in (SHOWN_RATIOS, SHOWN_COUNTS)
    )
    scores[f"association{suffix}"] = in_percent(ratios) | counts
    if not suffix:
        by_category = evaluation.ap["official"].per_category()
        scores["segm_video"].update(in_percent({f"AP-{name}": one["AP"] for name, one in by_category.items()}))
    return scores

"""Evaluation of online tracking on data sets in YouTube-VIS format, as a Detectron2 evaluator."""

from __future__ import annotations

import logging
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.structures import Instances
from detectron2.tracking import BaseTracker
from detectron2.utils import comm
from detectron2.utils.logger import create_small_table
from tabulate import tabulate

from ictrack.structures.categories import map_classes
from ictrack.structures.tracks import TrackRecorder, encode_mask
from ictrack.structures.youtube_vis_json import read_ground_truth
from ictrack.tracking import build_tracker, current_detections

from .metrics import AssociationResult, evaluate_association, evaluate_video_ap
from .submission import ResultsWriter, read_results

logger = logging.getLogger(__name__)

TrackerFactory = Callable[[int, int], BaseTracker]

# Association figures that are reported: fractions become percent, counts stay.
_RATIOS = ("IDF1", "IDP", "IDR", "MOTA", "MOTP")
_COUNTS = ("IDSW", "MT", "PT", "ML", "Frag")


class YouTubeVISEvaluator(DatasetEvaluator):
    """Tracks the detections of each video and scores the tracks.

    It sees a model's output frame by frame, as :func:`ictrack.data.build.build_video_test_loader` orders it. At a
    video's first frame it takes a fresh tracker; each frame's tracked masks are encoded at once, and a video's tracks
    are written to ``<output_dir>/<dataset_name>/results.json`` at its end, so that memory does not grow with the
    number of frames or videos and the file can be submitted to the data set's server.
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
            dataset_name: registered by :func:`ictrack.data.datasets.register_youtube_vis`.
            tracker: the configuration, whose TRACKER_HEADS names the tracker, or a function of (height, width) that
                makes one.
            output_dir: where results are written.
            class_map: class of the model -> class of the data set, both contiguous; detections of other classes are
                dropped and counted. None: the classes are the same or, with a configuration whose first training set
                has other ones, mapped by name (COCO's to YouTube-VIS's).

        Raises:
            AnnotationError: the data set's file is wrong.
            ValueError: no class of the training set is one of the data set.
        """
        self._dataset_name = dataset_name
        self._ground_truth = read_ground_truth(MetadataCatalog.get(dataset_name).json_file)
        categories = sorted(self._ground_truth["categories"], key=lambda category: category["id"])
        self._category_ids = [category["id"] for category in categories]
        self._class_names = [category["name"] for category in categories]
        if isinstance(tracker, CfgNode):
            self._make_tracker: TrackerFactory = lambda height, width: build_tracker(tracker, height, width)
            if class_map is None:
                class_map = self._map_from_training_classes(tracker)
        else:
            self._make_tracker = tracker
        self._class_map = class_map
        self._folder = Path(output_dir) / dataset_name
        self._writer: ResultsWriter | None = None

    def reset(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = ResultsWriter(self._part_path())
        self._video: dict[str, Any] | None = None
        self._num_frames = 0
        self._num_dropped: Counter[int] = Counter()

    def process(self, inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Instances]]) -> None:
        """
        Args:
            inputs: frames with ``video_id``, ``frame_index``, ``video_length``, ``height`` and ``width``.
            outputs: ``{"instances": Instances}`` of each, with masks of the frame's size.

        Raises:
            ValueError: frames are missing or out of order, or detections have no masks of the frame's size or a
                class that the data set lacks.
        """
        for frame, output in zip(inputs, outputs):
            if frame["frame_index"] == 0:
                self._finish_video()
                self._video = frame
                self._tracker = self._make_tracker(frame["height"], frame["width"])
                self._recorder = TrackRecorder()
                self._num_frames = 0
            elif self._video is None or (frame["video_id"], frame["frame_index"]) != (
                self._video["video_id"],
                self._num_frames,
            ):
                raise ValueError(f"{_describe(frame)} came out of order: use build_video_test_loader")
            self._num_frames += 1
            self._record(frame, output["instances"])

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Write the results of all processes, and score them if the data set has annotations.

        Returns:
            On the main process (None on others): "segm_video", official AP and AR in percent, "AP-<category>" beside
            them; "association", IDF1 and MOTA in percent and id switches as counts; and both with the suffix
            "_class_agnostic", where a track may match any category. NaN where there is nothing to measure. Empty
            without annotations.
        """
        assert self._writer is not None, "reset() comes before evaluate()"
        self._finish_video()
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
                dict(sorted(num_dropped.items())),
            )
        if self._ground_truth.get("annotations") is None:
            logger.info("%s has no annotations: results are in %s", self._dataset_name, path)
            return OrderedDict()
        results = read_results(path, self._ground_truth)
        scores = OrderedDict()
        for suffix, class_agnostic in (("", False), ("_class_agnostic", True)):
            average_precision = evaluate_video_ap(self._ground_truth, results, class_agnostic=class_agnostic)
            association = evaluate_association(self._ground_truth, results, class_agnostic=class_agnostic)
            scores[f"segm_video{suffix}"] = _percent(average_precision.summary())
            scores[f"association{suffix}"] = _reported(association.total)
            for task in (f"segm_video{suffix}", f"association{suffix}"):
                logger.info("%s of %s:\n%s", task, self._dataset_name, create_small_table(scores[task]))
            if not class_agnostic:
                by_category = average_precision.per_category()
                self._log_categories(by_category, association)
                scores["segm_video"].update(
                    _percent({f"AP-{name}": numbers["AP"] for name, numbers in by_category.items()})
                )
        return scores

    def _map_from_training_classes(self, cfg: CfgNode) -> dict[int, int] | None:
        if not cfg.DATASETS.TRAIN:
            return None
        training_set = cfg.DATASETS.TRAIN[0]
        training_classes = MetadataCatalog.get(training_set).get("thing_classes")
        if training_classes is None or list(training_classes) == self._class_names:
            return None
        class_map = map_classes(training_classes, self._class_names)
        if not class_map:
            raise ValueError(
                f"no class of {training_set} ({', '.join(training_classes)}) is one of {self._dataset_name} "
                f"({', '.join(self._class_names)}); give a class_map"
            )
        logger.info(
            "%d of the %d classes of %s are mapped by name to %d of the %d of %s",
            len(class_map),
            len(training_classes),
            training_set,
            len(set(class_map.values())),
            len(self._class_names),
            self._dataset_name,
        )
        return class_map

    def _record(self, frame: dict[str, Any], instances: Instances) -> None:
        tracked = current_detections(self._tracker.update(self._with_own_classes(frame, instances.to("cpu"))))
        if len(tracked) == 0:
            return
        if not tracked.has("pred_masks"):
            raise ValueError(f"{_describe(frame)}: detections have no pred_masks; evaluation is of masks")
        masks = tracked.pred_masks.numpy()
        if masks.shape[1:] != (frame["height"], frame["width"]):
            raise ValueError(
                f"{_describe(frame)}: masks are {masks.shape[1]} x {masks.shape[2]}, the frame is "
                f"{frame['height']} x {frame['width']}"
            )
        self._recorder.add(
            frame["frame_index"],
            tracked.ID.tolist(),
            tracked.scores.tolist(),
            tracked.pred_classes.tolist(),
            [encode_mask(mask) for mask in masks],
        )

    def _with_own_classes(self, frame: dict[str, Any], instances: Instances) -> Instances:
        """Detections with the data set's classes; those of classes that it lacks are dropped."""
        if len(instances) == 0:
            return instances
        classes = instances.pred_classes.tolist()
        if self._class_map is None:
            if max(classes) >= len(self._class_names):
                raise ValueError(
                    f"{_describe(frame)}: class {max(classes)} of the model is none of the {len(self._class_names)} of "
                    f"{self._dataset_name}; give a class_map"
                )
            return instances
        keep = [row for row, category in enumerate(classes) if category in self._class_map]
        if len(keep) < len(classes):
            self._num_dropped.update(category for category in classes if category not in self._class_map)
        mapped = instances[torch.tensor(keep, dtype=torch.int64)]
        mapped.pred_classes = torch.tensor([self._class_map[classes[row]] for row in keep], dtype=torch.int64)
        return mapped

    def _finish_video(self) -> None:
        if self._video is None:
            return
        video, self._video = self._video, None
        if self._num_frames != video["video_length"]:
            raise ValueError(
                f"video {video['video_id']} has {video['video_length']} frames, {self._num_frames} came before the "
                "next video or the end"
            )
        assert self._writer is not None
        self._writer.write(self._recorder.results(video["video_id"], video["video_length"], self._category_ids))

    def _part_path(self) -> Path:
        name = "results.json" if comm.get_world_size() == 1 else f"results.rank{comm.get_rank()}.json"
        return self._folder / name

    def _gather(self) -> Path | None:
        """The file with all processes' results, on the main process; videos in the data set's order."""
        if comm.get_world_size() == 1:
            return self._part_path()
        parts = comm.gather(read_results(self._part_path(), self._ground_truth))
        os.remove(self._part_path())
        if not comm.is_main_process():
            return None
        order = {video["id"]: i for i, video in enumerate(self._ground_truth["videos"])}
        results = sorted((result for part in parts for result in part), key=lambda result: order[result["video_id"]])
        path = self._folder / "results.json"
        with ResultsWriter(path) as writer:
            writer.write(results)
        return path

    def _log_categories(self, by_category: dict[str, dict[str, float]], association: AssociationResult) -> None:
        rows = [
            (name, *_percent({key: numbers[key] for key in ("AP", "AP50", "AP75")}).values(), reported["IDF1"],
             int(reported["IDSW"]))
            for name, numbers in by_category.items()
            for reported in [_reported(association.per_category[name])]
        ]  # fmt: skip
        headers = ("category", "AP", "AP50", "AP75", "IDF1", "id switches")
        logger.info("By category:\n%s", tabulate(rows, headers, tablefmt="pipe", floatfmt=".3f"))


def _describe(frame: dict[str, Any]) -> str:
    return f"frame {frame['frame_index']} of video {frame['video_id']}"


def _percent(fractions: dict[str, float]) -> dict[str, float]:
    return {key: 100 * value if value >= 0 else float("nan") for key, value in fractions.items()}


def _reported(association: dict[str, float]) -> dict[str, float]:
    return {**{key: 100 * association[key] for key in _RATIOS}, **{key: association[key] for key in _COUNTS}}

"""Feature caches that all heads are trained on, filled in one pass of the frozen detector over images and clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog
from detectron2.structures import Instances
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.association.head_bank import HeadBank
from experiments.association.masks import DetectedClip, detect_clips
from ictrack.data.build import VideoFrameMapper, frame_records
from ictrack.data.frame_geometry import apply_window, draw_window, window_reduction, window_to_source
from ictrack.data.labeled_image_mapper import LabeledImageMapper
from ictrack.data.random_access_video import ImageFolderVideo
from ictrack.data.tracklet_shapes import MaskShapes
from ictrack.data.video_dataset_mapper import lab_colors
from ictrack.modeling.embedding import PooledFeatures, pad_instances
from ictrack.modeling.embedding.readout import image_rows, mask_readout
from ictrack.modeling.solo import SOLO

from .cached_features import CachedFeatures
from .pack_detections import pack_clips, predicted_instances
from .training_data import MAP_STRIDE

# Cached views of each image; a batch draws some of them.
NUM_VIEWS = 4
# Side in pixels of the cells over which backbone taps and colors are averaged for pixel-level objectives.
TAP_CELL, COLOR_CELL = 16, 8
# Detections of a lower score are not kept; no tracker sees them.
MIN_SCORE = 0.15


class FeatureExtractor:
    """Extraction of :class:`CachedFeatures` with a frozen detector."""

    def __init__(self, model: SOLO, cfg: CfgNode) -> None:
        """
        Args:
            model: Detector in evaluation mode; its embedding head is replaced.
            cfg: Configuration of the detector.
        """
        self._model = model
        self._cfg = cfg
        self._taps = list(cfg.MODEL.EMBEDDING.IN_FEATURES)
        self._grids = dict(zip(cfg.MODEL.SOLO.IN_FEATURES, cfg.MODEL.SOLO.NUM_GRIDS))
        self._bank = HeadBank({"pooled": PooledFeatures(in_features=self._taps)})
        model.embedding_head = self._bank

    @torch.no_grad()
    def views(self, records: Sequence[dict[str, Any]], own_colors: bool = False) -> dict[str, Any]:
        """Features of ``NUM_VIEWS`` augmented views of each image, under "features"; unreadable images are left out.

        Args:
            records: Dataset dicts of Detectron2.
            own_colors: Whether colors are left unjittered.
        """
        cfg = self._cfg.clone()
        cfg.defrost()
        cfg.INPUT.NUM_VIEWS = NUM_VIEWS
        if own_colors:
            cfg.INPUT.COLOR_JITTER = cfg.INPUT.HUE_JITTER = 0.0
        mapper = LabeledImageMapper(cfg, len(records))
        parts = []
        for source, record in enumerate(records):
            mapped = mapper(record)
            if mapped is None:
                continue
            views = mapped["views"]
            features, padded_size = self._model.extract_features([view["image"] for view in views])
            instances = [view["instances"] for view in views]
            masks = [pad_instances(x, padded_size).gt_masks for x in instances]
            counts = torch.tensor([len(x) for x in instances])
            owners = torch.arange(len(views)).repeat_interleave(counts)
            parts.append(
                CachedFeatures(
                    sources=torch.full((len(views),), source),
                    times=torch.arange(len(views)),
                    owners=owners,
                    ids=torch.cat([x.gt_ids for x in instances]),
                    pooled=torch.cat(mask_readout([features[name] for name in self._taps], masks), dim=1).half(),
                    own_cells=torch.zeros((0, 3), dtype=torch.int64),
                    cells=self._assigned_cells(instances, padded_size),
                    maps=self._grid_maps(features),
                )
            )
        return {"features": CachedFeatures.concatenate(parts).to_dict()} if parts else {}

    def clips(self, dataset: str, gt: dict[str, Any], videos: Sequence[int]) -> dict[str, Any]:
        """Detections and features of clips with ground truth.

        Args:
            dataset: Registered name.
            gt: Content of its annotation file.
            videos: Positions of the videos in the data set.

        Returns:
            "clips", packed, and "features" of all frames, with grid maps.
        """
        if not videos:
            return {"clips": []}
        clips, maps_of_frames = self._detect(dataset, gt, videos, map_stride=1)
        return {"clips": pack_clips(clips), "features": self._cached(clips, videos, maps_of_frames).to_dict()}

    def unlabeled(self, dataset: str, gt: dict[str, Any], videos: Sequence[int]) -> dict[str, Any]:
        """Detections and features of unlabeled clips, see :meth:`clips`: "features" of all frames without maps, and
        "sparse" ones of every ``MAP_STRIDE``-th frame with maps and colors. Only "clips" hold ground truth."""
        if not videos:
            return {"clips": []}
        clips, maps_of_frames = self._detect(dataset, gt, videos, map_stride=MAP_STRIDE)
        sparse = [clip.every(MAP_STRIDE) for clip in clips]
        return {
            "clips": pack_clips(clips),
            "features": self._cached(clips, videos, None).to_dict(),
            "sparse": self._cached(sparse, videos, maps_of_frames, MAP_STRIDE).to_dict(),
        }

    @torch.no_grad()
    def windows(
        self, clips: Sequence[DetectedClip], image_root: str, sources: Sequence[int], zoom: tuple[float, float]
    ) -> CachedFeatures:
        """Features of clips seen through random windows, at half the clip's size and without rotation.

        Args:
            clips: Detected clips.
            image_root: Folder of their files.
            sources: Number of each window; ``len(sources) / len(clips)`` consecutive ones belong to one clip.
            zoom: Smallest and largest magnification; 1 shows the whole frame.

        Returns:
            Features with grid maps, colors and assigned cells; ``ids`` number the detections of all clips.
        """
        per_clip = len(sources) // len(clips)
        first = np.cumsum([0, *(len(frame.rles) for clip in clips for frame in clip.frames)])
        start, parts = 0, []
        for position, clip in enumerate(clips):
            for source in sources[per_clip * position : per_clip * (position + 1)]:
                parts.append(self._window(clip, image_root, source, zoom, first[start:]))
            start += len(clip.frames)
        return CachedFeatures.concatenate(parts)

    def _window(
        self, clip: DetectedClip, image_root: str, source: int, zoom: tuple[float, float], first: np.ndarray
    ) -> CachedFeatures:
        """Features seen through one window; ``first`` numbers the first detection of each frame."""
        size = tuple(side // 2 // COLOR_CELL * COLOR_CELL for side in (clip.video["height"], clip.video["width"]))
        assert len(size) == 2
        window = draw_window(zoom, 0.0, flip=False)
        video = ImageFolderVideo([f"{image_root}/{name}" for name in clip.video["file_names"]], fps=1.0)
        max_enlargement = self._cfg.INPUT.UNLABELED.MAX_ENLARGEMENT
        frames = video.read(
            range(len(clip.frames)),
            lambda _, full: window_reduction(window_to_source(window, full, size), max_enlargement),
        )
        affines = [window_to_source(window, (frame.height, frame.width), size) for frame in frames]
        views = [apply_window(frame, affine, size) for frame, affine in zip(frames, affines)]
        channels = [view[..., ::-1] if self._cfg.INPUT.FORMAT == "RGB" else view for view in views]
        images = [torch.from_numpy(view.transpose(2, 0, 1).copy()) for view in channels]
        colors = [torch.from_numpy(lab_colors(view, COLOR_CELL).transpose(2, 0, 1).copy()) for view in views]
        features, padded_size = self._model.extract_features(images)
        seen = [MaskShapes().seen(frame.rles, affine, size) for frame, affine in zip(clip.frames, affines)]
        for frame, (kept, instances) in zip(clip.frames, seen):
            instances.gt_classes = frame.detections.pred_classes[kept]
        counts = torch.tensor([len(kept) for kept, _ in seen])
        owners = torch.arange(len(frames)).repeat_interleave(counts)
        ids = [torch.tensor(kept, dtype=torch.int64) + int(offset) for (kept, _), offset in zip(seen, first)]
        return CachedFeatures(
            sources=torch.full((len(frames),), source),
            times=MAP_STRIDE * torch.arange(len(frames)),
            owners=owners,
            ids=torch.cat(ids),
            pooled=torch.zeros((len(owners), 0), dtype=torch.float16),
            own_cells=torch.zeros((0, 3), dtype=torch.int64),
            cells=self._assigned_cells([instances for _, instances in seen], padded_size),
            maps=self._grid_maps(features),
            colors=torch.stack(colors),
        )

    def _detect(
        self, dataset: str, gt: dict[str, Any], videos: Sequence[int], map_stride: int
    ) -> tuple[list[DetectedClip], list[dict[str, Tensor]]]:
        """Detected clips in the order of ``videos``, and the maps of every ``map_stride``-th frame."""
        known = DatasetCatalog.get(dataset)
        records = frame_records([known[i] for i in videos])
        mapper = VideoFrameMapper(self._cfg)
        loader: Iterator[list[dict[str, Any]]] = ([mapper(record)] for record in records)
        maps_of_frames: list[dict[str, Tensor]] = []
        detector = _CachingDetector(self._model, self._maps_of_frame, maps_of_frames, map_stride)
        limit = self._cfg.TRACKER_HEADS.MAX_DETECTIONS
        clips = detect_clips(detector, self._bank, loader, gt, min_score=MIN_SCORE, max_detections=limit)
        return clips, maps_of_frames

    def _maps_of_frame(self, features: dict[str, Tensor], image: Tensor) -> dict[str, Tensor]:
        height, width = image.shape[1:]
        size = (max(1, height // TAP_CELL), max(1, width // TAP_CELL))
        taps = {name: F.adaptive_avg_pool2d(features[name].float(), size).half() for name in self._taps}
        bgr = cv2.cvtColor(image.numpy().transpose(1, 2, 0).copy(), cv2.COLOR_RGB2BGR)
        whole = (height // COLOR_CELL * COLOR_CELL, width // COLOR_CELL * COLOR_CELL)
        colors = lab_colors(bgr[: whole[0], : whole[1]], COLOR_CELL)
        return {
            **self._grid_maps(features),
            **taps,
            "colors": torch.from_numpy(colors.transpose(2, 0, 1).copy())[None],
        }

    def _grid_maps(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Feature levels resized to SOLO's grids, as a head with the cell read-out does it."""
        return {
            name: F.interpolate(features[name].float(), size=(side, side), mode="bilinear", align_corners=False).half()
            for name, side in self._grids.items()
        }

    def _assigned_cells(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> Tensor:
        cells = self._model.assign_cells(instances, padded_size)
        first = torch.tensor([0, *(len(x) for x in instances)]).cumsum(0).tolist()
        rows = image_rows([len(x) for x in cells], cells[0].gt_index.device)
        index = torch.cat([x.gt_index + start for x, start in zip(cells, first)])
        return torch.cat([rows[:, :1], torch.cat([x.grid_cells for x in cells]), index[:, None]], dim=1)

    def _cached(
        self,
        clips: Sequence[DetectedClip],
        videos: Sequence[int],
        maps_of_frames: Sequence[dict[str, Tensor]] | None,
        stride: int = 1,
    ) -> CachedFeatures:
        """Features of the clips' frames, with maps where these are given, of sparse clips with colors and cells."""
        frames = [frame for clip in clips for frame in clip.frames]
        lengths = [len(clip.frames) for clip in clips]
        sources = torch.tensor(videos).repeat_interleave(torch.tensor(lengths))
        counts = torch.tensor([len(frame.rles) for frame in frames])
        owners = torch.arange(len(frames)).repeat_interleave(counts)
        maps: dict[str, Tensor] = {}
        cells, colors = torch.zeros((0, 5), dtype=torch.int64), torch.zeros(0)
        if maps_of_frames is not None:
            wanted = list(maps_of_frames[0]) if stride > 1 else list(self._grids)
            maps = {name: torch.cat([x[name] for x in maps_of_frames]) for name in wanted}
        if stride > 1:
            colors = maps.pop("colors")
            size = (int(frames[0].detections.image_size[0]), int(frames[0].detections.image_size[1]))
            cells = self._assigned_cells([predicted_instances(frame) for frame in frames], size)
        return CachedFeatures(
            sources=sources,
            times=torch.cat([stride * torch.arange(length) for length in lengths]),
            owners=owners,
            ids=torch.full((len(owners),), -1),
            pooled=torch.cat([frame.features["pooled"] for frame in frames]).half(),
            own_cells=torch.cat([frame.detections.grid_cells for frame in frames]),
            cells=cells,
            maps=maps,
            colors=colors,
        )


class _CachingDetector(nn.Module):
    """Detector that also appends ``read(features, image)`` of every ``stride``-th frame to ``maps_of_frames``."""

    def __init__(self, model: SOLO, read: Any, maps_of_frames: list[dict[str, Tensor]], stride: int) -> None:
        super().__init__()
        self._model = model
        self._read = read
        self._maps = maps_of_frames
        self._stride = stride

    def forward(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept: list[dict[str, Tensor]] = []
        hook = self._model.backbone.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        try:
            results = self._model(inputs)
        finally:
            hook.remove()
        if inputs[0]["frame_index"] % self._stride == 0:
            padded_size = tuple(self._model.preprocess_image(inputs).tensor.shape[-2:])
            level_inputs = self._model.level_inputs
            features = level_inputs.embedding_features(kept[0], level_inputs(kept[0], padded_size))
            self._maps.append(self._read(features, inputs[0]["image"]))
        return results
